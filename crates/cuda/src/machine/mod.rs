//! What runs programs, and a run's updates on it.

mod training;

pub use training::{Copied, DiscriminatorBatch, GeneratorBatch, Numbers, Slice, Training, Values};

use crate::Result;
use crate::host::{Element, Host};
use crate::op::{Op, View};
use crate::program::Program;

/// Waits for values that are on their way to the host; any thread may.
pub type Receipt = Box<dyn FnOnce() -> Result<Vec<f64>> + Send>;

/// A memory with something that runs operations on it.
pub trait Machine {
    /// Replaces a view's values.
    ///
    /// # Errors
    /// Those of the device.
    fn write(&mut self, view: View, values: &[f64]) -> Result<()>;
    /// The same of f32.
    ///
    /// # Errors
    /// Those of the device.
    fn write_f32(&mut self, view: View, values: &[f32]) -> Result<()> {
        self.write(view, &values.iter().map(|x| f64::from(*x)).collect::<Vec<_>>())
    }

    /// A view's values.
    ///
    /// # Errors
    /// Those of the device.
    fn read(&self, view: View) -> Result<Vec<f64>>;
    /// A view's values, without waiting for what runs: those of now, or of the last call but so many (the second number).
    ///
    /// # Errors
    /// Those of the device.
    fn peek(&mut self, view: View) -> Result<(Vec<f64>, u64)> {
        Ok((self.read(view)?, 0))
    }

    /// Begins to copy a view as it is now to the host, without waiting: what runs next may change it. A view of [`Program::copies`] may
    /// be changed by parts alone that [`Part::measures`] names.
    ///
    /// # Errors
    /// Those of the device.
    fn copy_out(&mut self, view: View) -> Result<Receipt> {
        let values = self.read(view)?;
        Ok(Box::new(move || Ok(values)))
    }

    /// Waits until everything that was begun is done.
    ///
    /// # Errors
    /// Those of the device.
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }

    /// Runs one of a program's lists.
    ///
    /// # Errors
    /// Those of the device.
    fn run(&mut self, program: &Program, part: Part) -> Result<()>;
}

/// A list of a program's operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// A generator update, with its measurements or without.
    Generator {
        /// Whether they are made.
        detailed: bool,
    },
    /// A round of D.
    Discriminator {
        /// Whether it is measured.
        detailed: bool,
    },
    /// A step of G's moving average.
    Average,
    /// Copies of what a measured update leaves.
    Copies,
}

impl Part {
    /// All that a program has.
    pub fn all(program: &Program) -> Vec<Part> {
        let mut parts = Vec::new();
        for detailed in [false, true] {
            parts.extend([Part::Generator { detailed }, Part::Discriminator { detailed }]);
        }
        parts.extend(program.average.iter().map(|_| Part::Average));
        parts.push(Part::Copies);
        parts
    }

    /// Whether it writes to [`Program::copies`].
    pub fn measures(self) -> bool {
        match self {
            Part::Discriminator { detailed } => detailed,
            Part::Copies => true,
            Part::Generator { .. } | Part::Average => false,
        }
    }

    /// Its operations.
    pub fn ops(self, program: &Program) -> Vec<&Op> {
        match self {
            Part::Generator { detailed } => program.generator_update.run(detailed).collect(),
            Part::Discriminator { detailed } => {
                program.discriminator_update.run(detailed).collect()
            }
            Part::Average => program.average.iter().flat_map(|a| &a.ops).collect(),
            Part::Copies => program.copies.ops.iter().collect(),
        }
    }
}

impl<T: Element> Machine for Host<T> {
    fn write(&mut self, view: View, values: &[f64]) -> Result<()> {
        Host::write(self, view, values);
        Ok(())
    }

    fn read(&self, view: View) -> Result<Vec<f64>> {
        Ok(Host::read(self, view))
    }

    fn run(&mut self, program: &Program, part: Part) -> Result<()> {
        Host::run(self, part.ops(program));
        Ok(())
    }
}
