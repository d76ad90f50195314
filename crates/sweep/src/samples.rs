//! What an evaluator is given to score of a run: its generator's samples.

use sngan_core::generate::Request;
use sngan_eval::Samples;
use sngan_experiment::RunSpec;

/// What [`DrawnSamples`] draws with: a checkpoint, or a training at work.
pub(crate) type Draw<'a> = dyn FnMut(Request) -> sngan_core::Result<Vec<u8>> + 'a;

/// A generator's samples, by the streams of a run's seed.
pub(crate) struct DrawnSamples<'a> {
    spec: &'a RunSpec,
    draw: &'a mut Draw<'a>,
}

impl<'a> DrawnSamples<'a> {
    /// Samples of the run `spec`, drawn by `draw`.
    pub(crate) fn new(spec: &'a RunSpec, draw: &'a mut Draw<'a>) -> DrawnSamples<'a> {
        DrawnSamples { spec, draw }
    }
}

impl Samples for DrawnSamples<'_> {
    fn name(&self) -> &str {
        "generated images"
    }

    fn side(&self) -> usize {
        self.spec.side
    }

    fn classes(&self) -> usize {
        self.spec.n_classes
    }

    fn class_names(&self) -> Option<&[String]> {
        None
    }

    fn available(&self, _class: Option<u32>) -> Option<usize> {
        None
    }

    fn bytes(&self) -> &'static str {
        "truncate"
    }

    fn read(&mut self, first: usize, n: usize, class: Option<u32>) -> sngan_eval::Result<Vec<u8>> {
        (self.draw)(Request { first, n, seed: self.spec.seed, class })
            .map_err(|e| sngan_eval::Error::Samples(Box::new(e)))
    }
}
