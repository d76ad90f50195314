//! The state of an unfinished training, beside the weights file that it will write.

use crate::network::{TrainedNetwork, shapes};
use crate::{Error, Result, Training};
use serde::{Deserialize, Serialize};
use sngan_eval::scorer::weights;
use sngan_eval::{Recipe, ScorerSpec};
use sngan_experiment::atomic;
use sngan_tensor::adam::Adam;
use std::path::{Path, PathBuf};

/// Everything that decides a training's bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Identity {
    scorer: String,
    seed: u64,
    recipe: Recipe,
    /// SHA-256 of the training images.
    images: String,
    /// Instruction set of the kernels; bits are promised within one.
    instruction_set: String,
}

impl Identity {
    pub(crate) fn of(spec: &ScorerSpec, training: &Training<'_>) -> Identity {
        Identity {
            scorer: spec.name.into(),
            seed: training.seed,
            recipe: training.recipe,
            images: training.train.sha256(),
            instruction_set: sngan_tensor::instruction_set().into(),
        }
    }
}

/// What stands in the state file's header.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    epochs_done: usize,
    adam_steps: u64,
    identity: Identity,
}

/// The state file of one training.
pub(crate) struct State {
    path: PathBuf,
    identity: Identity,
}

impl State {
    /// The state of the training that writes `out`.
    pub(crate) fn beside(out: &Path, identity: Identity) -> State {
        let mut name = out.as_os_str().to_owned();
        name.push(".training");
        State { path: name.into(), identity }
    }

    /// Writes the state after so many epochs.
    pub(crate) fn save(
        &self,
        epochs_done: usize,
        network: &TrainedNetwork,
        adam: &Adam,
    ) -> Result<()> {
        let mut tensors = network.state()?;
        tensors.extend(adam.state()?);
        let header =
            Header { epochs_done, adam_steps: adam.steps(), identity: self.identity.clone() };
        let header = serde_json::to_string(&header).map_err(|e| self.unusable(e))?;
        Ok(atomic::write(&self.path, &weights::encode(&tensors, Some(header))?)?)
    }

    /// Puts back what [`State::save`] wrote, and returns the epochs done; 0 where there is no file.
    ///
    /// # Errors
    /// When the file is damaged or of another training.
    pub(crate) fn restore(&self, network: &mut TrainedNetwork, adam: &mut Adam) -> Result<usize> {
        if !self.path.exists() {
            return Ok(0);
        }
        let origin = self.path.display().to_string();
        let bytes =
            std::fs::read(&self.path).map_err(sngan_experiment::Error::io("read", &self.path))?;
        let header: Header =
            serde_json::from_str(&weights::note(&origin, &bytes)?).map_err(|e| self.unusable(e))?;
        if header.identity != self.identity {
            return Err(self.unusable(
                "it is of another training (network, recipe, seed, images or processor)",
            ));
        }
        let mut expected = network.state()?;
        expected.extend(adam.state()?);
        let tensors = weights::decode(&origin, &bytes, &shapes(&expected))?;
        network.restore(&tensors)?;
        adam.restore(header.adam_steps, &tensors)?;
        Ok(header.epochs_done)
    }

    /// Removes the file of a training that is done.
    pub(crate) fn remove(&self) -> Result<()> {
        Ok(std::fs::remove_file(&self.path)
            .map_err(sngan_experiment::Error::io("remove", &self.path))?)
    }

    fn unusable(&self, reason: impl std::fmt::Display) -> Error {
        Error::State { path: self.path.clone(), reason: reason.to_string() }
    }
}
