//! What an evaluator is given to score of a run: its generator's samples.

use sngan_core::generate::{SampleRequest, Sampler};
use sngan_eval::Samples;
use sngan_experiment::RunSpec;

/// Samples are drawn in hundreds, and so read from multiples of it on.
const HUNDRED: usize = 100;

/// Makes the generator of a checkpoint, or lends that of a training at work.
type Make<'a> = dyn FnOnce() -> sngan_core::Result<Sampler<'a>> + 'a;

/// A generator's samples, by the streams of a run's seed. The generator is made when the first are asked for, and once.
pub(crate) struct DrawnSamples<'a> {
    spec: &'a RunSpec,
    make: Option<Box<Make<'a>>>,
    sampler: Option<Sampler<'a>>,
}

impl<'a> DrawnSamples<'a> {
    /// Samples of the run `spec` from the generator that `make` makes.
    pub(crate) fn new(
        spec: &'a RunSpec,
        make: impl FnOnce() -> sngan_core::Result<Sampler<'a>> + 'a,
    ) -> DrawnSamples<'a> {
        DrawnSamples { spec, make: Some(Box::new(make)), sampler: None }
    }

    fn draw(&mut self, request: SampleRequest) -> sngan_core::Result<Vec<u8>> {
        if let Some(make) = self.make.take() {
            self.sampler = Some(make()?);
        }
        let sampler = self.sampler.as_mut();
        let unmade = || sngan_core::Error::Invalid("the generator could not be made".into());
        sampler.ok_or_else(unmade)?.draw(request)
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

    fn step(&self) -> usize {
        HUNDRED
    }

    fn read(&mut self, first: usize, n: usize, class: Option<u32>) -> sngan_eval::Result<Vec<u8>> {
        self.draw(SampleRequest { first, n, seed: self.spec.seed, class })
            .map_err(|e| sngan_eval::Error::Samples(Box::new(e)))
    }
}
