//! Ranges and combinations of a spec's values.

use super::{LrDecay, RunSpec};
use crate::arch::Conditioning;
use crate::method::{ActsOn, Normalization};
use crate::{Error, Result, Slash, plain};

// No run comes near these limits; sizes computed from larger values would overflow.
const LARGEST_BATCH: usize = 1 << 20;
const LARGEST_SIDE: usize = 4096;
const LARGEST_CLASSES: usize = 1 << 20;

impl RunSpec {
    /// Checks ranges and combinations.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the key.
    pub fn validate(&self) -> Result<()> {
        self.validate_numbers()?;
        self.validate_batches()?;
        self.validate_method()?;
        self.validate_schedule()?;
        self.validate_imported()?;
        if self.label.is_empty() || self.setting.is_empty() {
            return Err(Error::invalid("label", "and `setting` must not be empty"));
        }
        plain("label", &self.label, Slash::Allowed)?;
        plain("setting", &self.setting, Slash::Refused)?;
        self.layers()?;
        self.validate_width()
    }

    fn validate_numbers(&self) -> Result<()> {
        let positive = [
            ("lr", self.lr),
            ("adam_eps", self.adam_eps),
            ("clip", self.clip),
            ("penalty_lambda", self.penalty_lambda),
            ("orthonormal_coefficient", self.orthonormal_coefficient),
            ("weight_scale", self.weight_scale),
        ];
        for (key, v) in positive {
            if !(v.is_finite() && v > 0.0) {
                return Err(Error::invalid(key, format!("is {v}; it must be a positive number")));
            }
        }
        for (key, v) in
            [("ac_dis_weight", self.ac_dis_weight), ("ac_gen_weight", self.ac_gen_weight)]
        {
            if !(v.is_finite() && v >= 0.0) {
                return Err(Error::invalid(
                    key,
                    format!("is {v}; it must be a number of at least 0"),
                ));
            }
        }
        let share = self.stable_rank_share;
        if !(share > 0.0 && share <= 1.0) {
            let reason = format!("is {share}; it must be in (0, 1]");
            return Err(Error::invalid("stable_rank_share", reason));
        }
        if self.spectrum_every == 0 {
            return Err(Error::invalid("spectrum_every", "is 0; it must be at least 1"));
        }
        for (key, v) in [("beta1", self.beta1), ("beta2", self.beta2), ("gen_ema", self.gen_ema)] {
            if !(0.0..1.0).contains(&v) {
                return Err(Error::invalid(key, format!("is {v}; it must be in [0, 1)")));
            }
        }
        Ok(())
    }

    fn validate_batches(&self) -> Result<()> {
        for (key, v) in
            [("n_dis", self.n_dis as usize), ("batch", self.batch), ("gen_batch", self.gen_batch)]
        {
            if v == 0 {
                return Err(Error::invalid(key, "is 0; it must be at least 1"));
            }
        }
        for (key, v, largest) in [
            ("batch", self.batch, LARGEST_BATCH),
            ("gen_batch", self.gen_batch, LARGEST_BATCH),
            ("side", self.side, LARGEST_SIDE),
            ("n_classes", self.n_classes, LARGEST_CLASSES),
        ] {
            if v > largest {
                return Err(Error::invalid(key, format!("is {v}; it must be at most {largest}")));
            }
        }
        let parts = [
            ("dis_micro_batch", self.dis_micro_batch, self.batch),
            ("gen_micro_batch", self.gen_micro_batch, self.gen_batch),
        ];
        for (key, part, whole) in parts {
            if part != 0 && !whole.is_multiple_of(part) {
                return Err(Error::invalid(
                    key,
                    format!("is {part}; it must divide the batch of {whole}, or be 0"),
                ));
            }
        }
        Ok(())
    }

    fn validate_method(&self) -> Result<()> {
        if self.gamma && !self.normalization.has_gamma() {
            let have = Normalization::ALL.into_iter().filter(|n| n.has_gamma());
            let have: Vec<_> = have.map(Normalization::name).collect();
            let reason =
                format!("is true, but of normalizations only {} have a γ variant", have.join(", "));
            return Err(Error::invalid("gamma", reason));
        }
        if self.weight_scale != 1.0 && (self.gamma || !self.normalizes_weights()) {
            let reason = format!(
                "is {}, but it multiplies normalized weights without γ; with `normalization = \"{}\"`, `gamma = {}` it must be 1",
                self.weight_scale,
                self.normalization.name(),
                self.gamma
            );
            return Err(Error::invalid("weight_scale", reason));
        }
        if self.regularizer.penalizes_gradient() && !self.normalization.is_piecewise_linear() {
            let reason = format!(
                "is a penalty of D's gradient, with {} normalization in D: its own gradient is implemented for piecewise linear D only",
                self.normalization.name()
            );
            return Err(Error::invalid("regularizer", reason));
        }
        if self.conditioning == Conditioning::AcGan
            && self.ac_dis_weight == 0.0
            && self.ac_gen_weight == 0.0
        {
            return Err(Error::invalid(
                "conditioning",
                "is ac-gan, but both weights of the classification loss are 0",
            ));
        }
        Ok(())
    }

    fn normalizes_weights(&self) -> bool {
        match self.normalization.acts_on() {
            ActsOn::Weights => true,
            ActsOn::Nothing | ActsOn::Maps | ActsOn::Output => false,
        }
    }

    fn validate_schedule(&self) -> Result<()> {
        match self.lr_decay {
            LrDecay::Constant if self.lr_decay_start != 0 => {
                Err(Error::invalid("lr_decay_start", "is set, but `lr_decay` is constant"))
            }
            LrDecay::Linear if self.lr_decay_start >= self.gen_updates => {
                let reason = format!(
                    "is {}; it must be below `gen_updates`, which is {}",
                    self.lr_decay_start, self.gen_updates
                );
                Err(Error::invalid("lr_decay_start", reason))
            }
            LrDecay::Constant | LrDecay::Linear => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::Method;

    #[test]
    fn combinations_that_make_no_sense_are_refused_by_key() {
        let wrong: [(&str, &str); 22] = [
            ("side", "8192"),
            ("batch", "1048577"),
            ("n_classes", "2097152"),
            ("lr", "0"),
            ("beta1", "1"),
            ("gen_ema", "1"),
            ("batch", "0"),
            ("dis_micro_batch", "7"),
            ("gen_micro_batch", "65"),
            ("gamma", "true"),
            ("lr_decay_start", "5"),
            ("weight_scale", "0"),
            ("weight_scale", "1.5"),
            ("stable_rank_share", "0"),
            ("stable_rank_share", "1.5"),
            ("spectrum_every", "0"),
            ("n_classes", "10"),
            ("ac_gen_weight", "-1"),
            ("dis_width_factor", "0"),
            ("last_conv_factor", "0.3"),
            ("side", "20"),
            ("width_divisor", "3"),
        ];
        for (key, value) in wrong {
            let mut spec = RunSpec::paper(Method::Vanilla);
            spec.set(key, value).unwrap();
            let said = spec.validate().unwrap_err().to_string();
            assert!(said.contains(&format!("`{key}`")), "{key}={value}: {said}");
        }
        // What the message advises is accepted.
        for (conditioning, n_classes, advice) in [
            (Conditioning::None, 10, &[("n_classes", "0")][..]),
            (Conditioning::None, 10, &[("conditioning", "projection")]),
            (Conditioning::Projection, 0, &[("n_classes", "10")]),
            (Conditioning::Projection, 0, &[("conditioning", "none")]),
            (Conditioning::AcGan, 1, &[("conditioning", "none"), ("n_classes", "0")]),
        ] {
            let mut spec = RunSpec { conditioning, n_classes, ..RunSpec::paper(Method::Sn) };
            let said = spec.validate().unwrap_err().to_string();
            for (key, value) in advice {
                let named = [format!("{key}={value}"), format!("{key}=\"{value}\"")];
                assert!(named.iter().any(|n| said.contains(n)), "{said}");
                spec.set(key, value).unwrap();
            }
            spec.validate().unwrap();
        }
        let mut spec = RunSpec { conditioning: Conditioning::Concat, ..RunSpec::paper(Method::Sn) };
        assert!(spec.validate().unwrap_err().to_string().contains("n_classes"));
        spec.n_classes = 10;
        spec.validate().unwrap();
        spec = RunSpec {
            lr_decay: LrDecay::Linear,
            lr_decay_start: 100_000,
            ..RunSpec::paper(Method::Sn)
        };
        assert!(spec.validate().unwrap_err().to_string().contains("lr_decay_start"));
    }
}
