//! What runs programs, and a run's updates on it.

mod training;

pub use training::{Copied, DiscriminatorBatch, GeneratorBatch, Numbers, Slice, Training, Values};

use crate::Result;
use crate::host::{Element, Host};
use crate::op::{Op, View};
use crate::program::Layout;

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

    /// Begins to copy a view as it is now to the host, without waiting: what runs next may change it. A view of [`crate::program::Program::copies`] may
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

    /// Bytes of a GPU's memory that it holds from beginning to end; `None` on the host.
    fn device_bytes(&self) -> Option<u64> {
        None
    }

    /// Runs one of the lists that the memory was made for.
    ///
    /// # Errors
    /// Those of the device.
    fn run(&mut self, lists: &dyn Lists, part: Part) -> Result<()>;
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
    /// Images of a training's generator.
    Samples,
    /// All of a program without gradients.
    Inference,
}

/// Lists of operations on one memory.
pub trait Lists {
    /// Where things lie.
    fn layout(&self) -> &Layout;
    /// The lists that there are.
    fn parts(&self) -> Vec<Part>;
    /// A list's operations; none where there is no such list.
    fn ops(&self, part: Part) -> Vec<&Op>;
    /// The views that are written and looked at between runs, so that nobody should wait for them.
    fn staged(&self) -> Vec<View>;
    /// Elements of the largest view that is copied out beside the runs.
    fn copied(&self) -> usize {
        0
    }

    /// Images a piece of D's and of G's batch with which the same would fit into `free` bytes, if any.
    fn fitting(&self, _free: usize) -> Option<[usize; 2]> {
        None
    }
}

impl Part {
    /// Whether it writes to [`crate::program::Program::copies`].
    pub fn measures(self) -> bool {
        match self {
            Part::Discriminator { detailed } => detailed,
            Part::Copies => true,
            Part::Generator { .. } | Part::Average | Part::Samples | Part::Inference => false,
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

    fn run(&mut self, lists: &dyn Lists, part: Part) -> Result<()> {
        Host::run(self, lists.ops(part));
        Ok(())
    }
}
