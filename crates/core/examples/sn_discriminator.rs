//! A small discriminator of one's own, of candle-nn's layers and spectrally normalized ones, on made-up data.
//! `cargo run --release -p sngan-core --example sn_discriminator`

use candle_core::{DType, Device, ModuleT, Result, Tensor};
use candle_nn::{AdamW, Conv2dConfig, Module, Optimizer, ParamsAdamW, VarBuilder, VarMap};
use sngan_core::Fresh;
use sngan_core::nn::{SnConv2d, SnLinear};
use sngan_tensor::{decomposition::sigma_max, rng::Streams};

const N: usize = 16;

/// Images `[N, 3, 8, 8]` to outputs `[N, 1]`.
struct Discriminator(SnConv2d, SnConv2d, SnLinear);

impl Discriminator {
    fn new(vb: &VarBuilder<'_>) -> Result<Discriminator> {
        let half = Conv2dConfig { stride: 2, padding: 1, ..Conv2dConfig::default() };
        let conv1 = SnConv2d::new(3, 16, 4, half, vb.pp("conv1"))?;
        let conv2 = SnConv2d::new(16, 32, 4, half, vb.pp("conv2"))?;
        Ok(Discriminator(conv1, conv2, SnLinear::new(32 * 2 * 2, 1, vb.pp("out"))?))
    }

    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let activation = candle_nn::Activation::LeakyRelu(0.1);
        let x = activation.forward(&self.0.forward_t(x, train)?)?;
        let x = activation.forward(&self.1.forward_t(&x, train)?)?;
        self.2.forward_t(&x.flatten_from(1)?, train)
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let (streams, vars) = (Streams::new(0), VarMap::new());
    let fresh = Box::new(Fresh::kept_in(&vars, streams));
    let mut d = Discriminator::new(&VarBuilder::from_backend(fresh, DType::F32, Device::Cpu))?;
    // The paper's Adam (its setting C), without AdamW's weight decay.
    let adam = ParamsAdamW { lr: 2e-4, beta1: 0.5, weight_decay: 0.0, ..ParamsAdamW::default() };
    let mut adam = AdamW::new(vars.all_vars(), adam)?;
    for update in 0..=400 {
        let draw = |name| streams.normal(name, update, N * 3 * 8 * 8);
        let image = |draws| Tensor::from_vec(draws, (N, 3, 8, 8), &Device::Cpu);
        let (real, fake) = ((image(draw("real"))? + 0.5)?, image(draw("fake"))?);
        // Eq. (16), the hinge loss: both batches see the same W̄, for u moves after them.
        let real = (1.0 - d.forward(&real, true)?)?.relu()?.mean_all()?;
        let loss = (real + (1.0 + d.forward(&fake, true)?)?.relu()?.mean_all()?)?;
        let gradient = loss.backward()?;
        d.0.advance()?;
        d.1.advance()?;
        d.2.advance()?;
        adam.step(&gradient)?;
        if update % 100 == 0 {
            let sigma = |w: Result<Tensor>| Ok::<_, sngan_core::Error>(sigma_max(&w?)?);
            let [a, b] = [sigma(d.0.normalized(false))?, sigma(d.1.normalized(false))?];
            let (c, loss) = (sigma(d.2.normalized(false))?, loss.to_scalar::<f32>()?);
            println!("update {update}: loss {loss:.3}, σ(W̄) {a:.4} {b:.4} {c:.4}");
        }
    }
    Ok(vars.save(std::env::temp_dir().join("sn_discriminator.safetensors"))?)
}
