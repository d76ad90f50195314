//! Names that follow from the values: a run is named after what it runs. A method or setting
//! without a name is `custom`, unless you gave it a name of your own.

use super::varied::says_what_varies;
use super::{RunSpec, WidthCorrection};
use crate::file::settings;
use crate::method::{Loss, Method, Normalization, Setting};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The name of a setting whose values have no name.
pub const CUSTOM: &str = "custom";

/// The end of the label of a run whose reduced width is not corrected, though a correction would
/// change it.
const UNCORRECTED: &str = ", uncorrected";
/// The end of the label of a run whose reduced width is corrected only in the initial weights.
const INITIAL_WEIGHTS: &str = ", initial weights";

/// Keys that no label mentions: changing one of them keeps a row's own label.
const NOT_IN_LABELS: [&str; 18] = [
    "label",
    "setting",
    "lr",
    "beta1",
    "beta2",
    "seed",
    "gen_updates",
    "dataset",
    "n_classes",
    "side",
    "width_divisor",
    "width_correction",
    "clip_correction",
    "batch",
    "gen_batch",
    "dis_micro_batch",
    "gen_micro_batch",
    "lr_decay_start",
];

/// The names used in a run's identity, if its values have others.
///
/// Earlier versions wrote the names of the row and setting that a run started from, even if values
/// were then changed, and hashed them into the identity. Keeping these names lets a run of any age
/// keep its identity while it shows its true names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// The row's label.
    pub label: String,
    /// The row's method.
    pub method: Method,
    /// The setting's name.
    pub setting: String,
}

/// Table 1 and the other named settings; empty only in a build whose embedded table does not parse,
/// which a test rules out.
static SETTINGS: LazyLock<BTreeMap<String, Setting>> =
    LazyLock::new(|| settings().unwrap_or_default());

impl RunSpec {
    /// The optimizer setting's values.
    fn setting_values(&self) -> Setting {
        Setting { lr: self.lr, beta1: self.beta1, beta2: self.beta2, n_dis: self.n_dis }
    }

    /// The method that the values are a variant of ([`Method::family`]).
    pub fn family(&self) -> Method {
        Method::family(self.normalization, self.regularizer, self.loss)
    }

    fn names(&self) -> Names {
        Names { label: self.label.clone(), method: self.method, setting: self.setting.clone() }
    }

    /// The names used in the identity.
    pub(super) fn names_in_id(&self) -> Names {
        self.id_names.clone().unwrap_or_else(|| self.names())
    }

    /// Whether `name` is the row's label or method, ignoring case: as derived from the values, or
    /// as in the experiment file.
    pub fn is_of_row(&self, name: &str) -> bool {
        [self.names(), self.names_in_id()]
            .iter()
            .any(|names| names.label.eq_ignore_ascii_case(name) || names.method.name() == name)
    }

    /// Whether `name` is the setting's, ignoring case: as derived from the values, or as in the
    /// experiment file.
    pub fn is_in_setting(&self, name: &str) -> bool {
        [self.names(), self.names_in_id()].iter().any(|n| n.setting.eq_ignore_ascii_case(name))
    }

    /// Gives the run the names of its values; the names it was written with stay in its identity.
    pub fn name_truly(&mut self) {
        // Imported networks are named after their file: what they were trained by is not known.
        if self.imported.is_some() {
            return;
        }
        let asked = self.names_in_id();
        self.method = Method::of(self.normalization, self.gamma, self.regularizer, self.loss);
        let label = without_ending(&self.label);
        let derived = self.derived_label();
        let label = if is_derived(label) || !self.may_be_called(label, &derived) {
            derived
        } else {
            label.to_string()
        };
        self.label = label + self.ending();
        self.setting = self.true_setting();
        self.id_names = Some(asked).filter(|asked| *asked != self.names());
    }

    /// The setting's name if it is true or your own, else the name of its values, else `custom`.
    fn true_setting(&self) -> String {
        let values = self.setting_values();
        let given = SETTINGS.get(&self.setting);
        if given == Some(&values) || (given.is_none() && self.setting != CUSTOM) {
            return self.setting.clone();
        }
        let named = SETTINGS.iter().find(|(_, s)| **s == values);
        named.map_or_else(|| CUSTOM.into(), |(name, _)| name.clone())
    }

    /// The label that the values give: a method's, or one that names the differences: `SN, hinge`,
    /// `SN γ + GP, Wasserstein`.
    pub(super) fn derived_label(&self) -> String {
        if self.method == Method::Custom { self.custom_label() } else { self.method.label().into() }
    }

    /// The end of every label whose method a reduced width changes, if no multiplier corrects it.
    fn ending(&self) -> &'static str {
        match self.width_correction {
            WidthCorrection::InitialStd => INITIAL_WEIGHTS,
            _ if self.lacks_correction() => UNCORRECTED,
            WidthCorrection::None | WidthCorrection::Multiplier => "",
        }
    }

    /// Whether your own label says nothing false: one that begins with a method's label must be of
    /// that method, apart from what it adds: `, hinge`, ` w/ SN`, ` γ`.
    fn may_be_called(&self, label: &str, derived: &str) -> bool {
        let begun = |m: &&Method| {
            let rest = label.strip_prefix(m.label());
            rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
        };
        let Some(method) = Method::ALL.iter().find(begun) else { return true };
        let rest = &label[method.label().len()..];
        let (mut normalization, regularizer, mut loss) = method.parts();
        let with = |n: &Normalization| {
            n.has_gamma() && n.label().is_some_and(|label| rest.contains(&format!(" w/ {label}")))
        };
        // The longest: one name may begin another.
        let added =
            Normalization::ALL.into_iter().filter(with).max_by_key(|n| n.label().map(str::len));
        normalization = added.unwrap_or(normalization);
        let named = |loss: &Loss| rest.contains(&format!(", {}", loss.label()));
        loss = Loss::ALL.into_iter().find(named).unwrap_or(loss);
        let parts = (self.normalization, self.regularizer, self.loss);
        let gamma = added.is_some() || rest.contains('γ');
        label == derived
            || says_what_varies(label, derived)
            || (parts == (normalization, regularizer, loss) && self.gamma == gamma)
    }

    fn custom_label(&self) -> String {
        let norm = self.normalization.label();
        let norm = norm.map(|n| if self.gamma { format!("{n} γ") } else { n.to_string() });
        let regularizer = match norm {
            Some(_) => self.regularizer.label(),
            // Alone, it is called as the method that it is with the standard loss.
            None => {
                let alone = self.regularizer.method(Loss::Standard);
                let named = (alone != Method::Custom).then(|| alone.label());
                named.or(self.regularizer.label())
            }
        };
        let parts: Vec<String> = norm.into_iter().chain(regularizer.map(String::from)).collect();
        let label = parts.join(" + ");
        // The standard loss goes without saying.
        if self.loss == Loss::Standard { label } else { format!("{label}, {}", self.loss.label()) }
    }

    /// After `key` was set to `text` in `before`: drops names that described the old value, and
    /// refuses one that is not true.
    pub(super) fn rename_after(&mut self, key: &str, text: &str, before: &RunSpec) -> Result<()> {
        let mut identity = before.names_in_id();
        match key {
            "label" => identity.label = text.into(),
            "setting" => identity.setting = text.into(),
            "method" => {
                (identity.label, identity.method) = (self.method.label().into(), self.method)
            }
            "lr" | "beta1" | "beta2" | "n_dis" => {
                self.setting = CUSTOM.into();
                identity.setting = CUSTOM.into();
            }
            _ => {}
        }
        if !NOT_IN_LABELS.contains(&key) {
            self.label = CUSTOM.into();
        }
        self.id_names = Some(identity);
        self.name_truly();
        match key {
            "label" if self.label != text && without_ending(&self.label) != text => {
                Err(Error::invalid(
                    "label",
                    format!(
                        "is `{text}`, which begins with a method's name, but the values are `{}`",
                        self.label
                    ),
                ))
            }
            "setting" if self.setting != text => Err(Error::invalid(
                "setting",
                format!(
                    "is `{text}`, but lr, beta1, beta2 and n_dis are those of `{}`; change these, or give a name of your own",
                    self.setting
                ),
            )),
            _ => Ok(()),
        }
    }
}

/// A label without the ending that the width adds.
pub(super) fn without_ending(label: &str) -> &str {
    let ends = [UNCORRECTED, INITIAL_WEIGHTS];
    ends.iter().find_map(|end| label.strip_suffix(end)).unwrap_or(label)
}

/// Whether a label says only what the values say, and so must follow them: a method's own label, or
/// a derived one.
fn is_derived(label: &str) -> bool {
    label.eq_ignore_ascii_case(CUSTOM)
        || Method::ALL
            .iter()
            .any(|m| m.label().eq_ignore_ascii_case(label) || m.name().eq_ignore_ascii_case(label))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Changes, and the names that follow.
    type Case = (&'static [(&'static str, &'static str)], (&'static str, Method, &'static str));

    fn set(mut spec: RunSpec, changes: &[(&str, &str)]) -> RunSpec {
        for (key, value) in changes {
            spec.set(key, value).unwrap();
        }
        spec
    }

    fn names(spec: &RunSpec) -> (&str, Method, &str) {
        (&spec.label, spec.method, &spec.setting)
    }

    #[test]
    fn changed_values_bring_the_names_of_what_runs() {
        let sn = RunSpec::paper(Method::Sn);
        let of = |changes: &[(&str, &str)]| set(sn.clone(), changes);
        let cases: [Case; 9] = [
            (&[("normalization", "none")], ("Vanilla", Method::Vanilla, "C")),
            (&[("loss", "hinge")], ("SN, hinge", Method::Custom, "C")),
            (&[("lr", "0.0001")], ("SN", Method::Sn, "B")),
            (&[("lr", "0.5")], ("SN", Method::Sn, "custom")),
            (&[("lr", "0.5"), ("lr", "0.0002")], ("SN", Method::Sn, "C")),
            (&[("method", "wgan-gp")], ("WGAN-GP", Method::WganGp, "C")),
            (
                &[("method", "wgan-gp"), ("normalization", "spectral"), ("gamma", "true")],
                ("SN γ + GP, Wasserstein", Method::Custom, "C"),
            ),
            (&[("label", "mine"), ("batch", "8")], ("mine", Method::Sn, "C")),
            (&[("label", "mine"), ("gamma", "true")], ("SN γ", Method::Custom, "C")),
        ];
        for (changes, expected) in cases {
            assert_eq!(names(&of(changes)), expected, "{changes:?}");
        }
    }

    #[test]
    fn a_label_that_begins_with_a_method_is_of_that_method() {
        let label = |method: Method, label: &str, changes: &[(&str, &str)]| {
            let mut spec = set(RunSpec::paper(method), changes);
            spec.label = label.into();
            spec.name_truly();
            spec.label
        };
        let gamma = [("normalization", "spectral"), ("gamma", "true")];
        for (method, given, changes, found) in [
            (Method::Sn, "SN, hinge", &[][..], "SN"),
            (Method::Sn, "WGAN-GP, hinge", &[], "SN"),
            (Method::WganGp, "WGAN-GP w/ SN", &[], "WGAN-GP"),
            (Method::WganGp, "WGAN-GP w/ SN", &gamma, "WGAN-GP w/ SN"),
            (Method::Sn, "SN, hinge", &[("loss", "hinge"), ("gamma", "true")], "SN γ, hinge"),
            (Method::Sn, "SN, hinge 2x", &[("loss", "hinge")], "SN, hinge 2x"),
            (Method::Sn, "SN n_dis 5", &[("n_dis", "5")], "SN n_dis 5"),
            (Method::Sn, "SNAPPY", &[], "SNAPPY"),
            (Method::GanGp, "GAN-GP, multiplier", &[], "GAN-GP, multiplier"),
            (Method::WganGp, "mine", &[("width_divisor", "8")], "mine, uncorrected"),
            (
                Method::WganGp,
                "WGAN-GP",
                &[("width_divisor", "8"), ("width_correction", "initial-std")],
                "WGAN-GP, initial weights",
            ),
        ] {
            assert_eq!(label(method, given, changes), found, "{given} of {method:?}");
        }
    }

    #[test]
    fn a_name_that_is_not_true_is_refused() {
        let mut spec = RunSpec::paper(Method::Sn);
        assert!(spec.set("label", "WN").unwrap_err().to_string().contains("`SN`"));
        assert!(spec.set("setting", "E").unwrap_err().to_string().contains("`C`"));
        assert!(spec.set("method", "custom").is_err());
        spec.set("setting", "mine").unwrap();
        assert_eq!(spec.setting, "mine");
    }

    /// The identity of runs that earlier versions wrote with their row's names.
    #[test]
    fn old_names_are_corrected_and_the_identity_stays() {
        let old =
            RunSpec { normalization: Normalization::None, n_dis: 2, ..RunSpec::paper(Method::Sn) };
        let text = toml::to_string(&old).unwrap();
        let read: RunSpec = toml::from_str(&text).unwrap();
        assert_eq!(names(&read), ("Vanilla", Method::Vanilla, "custom"));
        assert_eq!(read.id(), old.id());
        let again: RunSpec = toml::from_str(&toml::to_string(&read).unwrap()).unwrap();
        assert_eq!((again.id(), &again), (old.id(), &read));
    }

    #[test]
    fn every_named_setting_is_found_by_its_values() {
        assert!(SETTINGS.len() >= 6);
        for (name, s) in SETTINGS.iter() {
            let Setting { lr, beta1, beta2, n_dis } = *s;
            let mut spec = RunSpec { lr, beta1, beta2, n_dis, ..RunSpec::paper(Method::Sn) };
            spec.setting = CUSTOM.into();
            assert_eq!(spec.true_setting(), *name);
        }
    }
}
