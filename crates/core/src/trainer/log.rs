//! A run's log, and what ends a run early: numbers that are not finite.

use super::measuring::Measured;
use super::pending::{Line, Pending, Wait};
use super::run::Session;
use super::{Trainer, Update};
use crate::Result;
use sngan_experiment::records::{FORMAT_VERSION, LogRecord, TimingRecord, finite};
use sngan_experiment::run_dir;

/// At which update a run was found to diverge, and by what.
pub(super) struct Divergence {
    pub(super) gen_update: u64,
    pub(super) reason: String,
}

impl Divergence {
    fn of_tensor(gen_update: u64, name: &str) -> Divergence {
        Divergence { gen_update, reason: format!("tensor {name} is not finite") }
    }
}

impl Session<'_> {
    /// Losses are looked at after every update, weights at the log's cadence and before each checkpoint.
    pub(super) fn divergence(
        &self,
        trainer: &Trainer<'_>,
        update: &Update,
        weights: bool,
    ) -> Result<Option<Divergence>> {
        let now = trainer.gen_updates();
        if let Some(name) = update.not_finite() {
            let gen_update = now.saturating_sub(update.lag).max(1);
            return Ok(Some(Divergence { gen_update, reason: format!("{name} is not finite") }));
        }
        let tensor = if weights { trainer.not_finite()? } else { None };
        Ok(tensor.map(|name| Divergence::of_tensor(now, &name)))
    }

    /// Writes the lines that are known or waited for. The first that shows a divergence is the last.
    pub(super) fn write(
        &self,
        pending: &mut Pending<'_, '_>,
        wait: Wait,
    ) -> Result<Option<Divergence>> {
        while let Some(Line { gen_update, seconds, measured }) = pending.next(wait)? {
            let Measured { update, not_finite } = measured;
            self.log(gen_update, seconds, &update)?;
            if let Some(name) = update.not_finite() {
                return Ok(Some(Divergence {
                    gen_update,
                    reason: format!("{name} is not finite"),
                }));
            }
            if let Some(name) = not_finite {
                return Ok(Some(Divergence::of_tensor(gen_update, &name)));
            }
        }
        Ok(None)
    }

    /// Appends the log's line of an update that was made after so many seconds.
    pub(super) fn log(&self, gen_update: u64, seconds: f64, update: &Update) -> Result<()> {
        self.lock.check()?;
        let details = update.details.clone().unwrap_or_default();
        let record = LogRecord {
            version: FORMAT_VERSION,
            gen_update,
            loss_d: finite(update.loss_d),
            loss_reg: finite(update.loss_reg),
            loss_g: finite(update.loss_g),
            d_real: finite(update.d_real),
            d_fake: finite(update.d_fake),
            grad_norm_d: finite(details.grad_norm_d),
            grad_norm_g: finite(details.grad_norm_g),
            sigma_forward: details.sigma_forward,
            sigma_fig9: details.sigma_fig9,
            effective_rank: details.effective_rank,
            stable_rank: details.stable_rank,
            grad_norm_x_hat: update.grad_norm_x_hat.and_then(finite),
            loss_class_d: update.loss_class_d.and_then(finite),
            loss_class_g: update.loss_class_g.and_then(finite),
            critic_train: details.critic.and_then(|c| finite(c.train)),
            critic_held_out: details.critic.and_then(|c| finite(c.held_out)),
            critic_images: details.critic.map(|c| c.images as u64),
        };
        run_dir::append_line(&self.dir.log_path(), &record)?;
        Ok(run_dir::append_line(
            &self.dir.timing_path(),
            &TimingRecord { version: FORMAT_VERSION, gen_update, seconds },
        )?)
    }
}
