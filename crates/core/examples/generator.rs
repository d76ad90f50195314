//! Images of a published generator with plain candle-nn layers, of the standard CNN without labels. Of this project only the file of weights is
//! needed, and here the writer of PNGs.
//! `cargo run --release -p sngan-core --example generator -- weights/NAME.safetensors [FILE.png]`

use candle_core::{DType, Device, IndexOp, ModuleT, Result, Tensor};
use candle_nn::{
    BatchNorm, BatchNormConfig, Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig,
    Linear, Module, VarBuilder, batch_norm, conv_transpose2d, conv2d, linear,
};
use sngan_core::generate::write_grid;
use std::collections::HashMap;
use std::path::PathBuf;

/// Table 3(a)'s generator: z `[N, 128]` to images `[N, 3, side, side]` in [−1, 1].
struct Generator {
    dense: Linear,
    deconvs: Vec<(ConvTranspose2d, BatchNorm)>,
    conv: Conv2d,
}

impl Generator {
    /// Widths are those of the file's tensors; half precision is widened.
    fn load(tensors: &HashMap<String, Tensor>) -> Result<Generator> {
        let vb = VarBuilder::from_tensors(tensors.clone(), DType::F32, &Device::Cpu);
        let vb = vb.pp("generator");
        let size = |name: &str, dim| vb.get_unchecked(&format!("{name}.weight"))?.dim(dim);
        let dense = linear(size("dense", 1)?, size("dense", 0)?, vb.pp("dense"))?;
        let twice = ConvTranspose2dConfig { padding: 1, stride: 2, ..Default::default() };
        let eps = BatchNormConfig { eps: 2e-5, ..BatchNormConfig::default() };
        let deconvs = (0..3).map(|i| {
            let (name, bn) = (format!("deconv{i}"), format!("bn{i}"));
            let (from, to) = (size(&name, 0)?, size(&name, 1)?);
            let deconv = conv_transpose2d(from, to, 4, twice, vb.pp(&name))?;
            Ok((deconv, batch_norm(to, eps, vb.pp(&bn))?))
        });
        let deconvs = deconvs.collect::<Result<_>>()?;
        let same = Conv2dConfig { padding: 1, ..Conv2dConfig::default() };
        let conv = conv2d(size("conv", 1)?, size("conv", 0)?, 3, same, vb.pp("conv"))?;
        Ok(Generator { dense, deconvs, conv })
    }

    fn forward(&self, z: &Tensor) -> Result<Tensor> {
        let x = self.dense.forward(z)?;
        let channels = self.deconvs[0].0.weight().dim(0)?;
        let side = (x.dim(1)? / channels).isqrt();
        let mut x = x.reshape(((), channels, side, side))?;
        for (deconv, bn) in &self.deconvs {
            x = bn.forward_t(&deconv.forward(&x)?, false)?.relu()?;
        }
        self.conv.forward(&x)?.tanh()
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let file = arguments.next().ok_or("name a file of weights/")?;
    let out = arguments.next().unwrap_or_else(|| "samples.png".into());
    let named = |e: &dyn std::fmt::Display| format!("{}: {e}", file.display());
    let bytes = std::fs::read(&file).map_err(|e| named(&e))?;
    let tensors =
        candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).map_err(|e| named(&e))?;
    let (_, about) = safetensors::SafeTensors::read_metadata(&bytes)?;
    let about = about.metadata().as_ref().and_then(|m| m.get("sngan")).ok_or("no metadata")?;
    let spec = &serde_json::from_str::<serde_json::Value>(about)?["spec"];
    if spec["architecture"] != "standard-cnn" || spec["n_classes"] != 0 {
        return Err(named(&"this example builds the standard CNN without labels alone").into());
    }
    let generator = Generator::load(&tensors)?;

    // The file's own noise and images say whether it was read right.
    let check = |name: &str| tensors.get(name).ok_or(format!("the file has no `{name}`"));
    let images = generator.forward(check("check.z")?)?;
    let worst = (images - check("check.images")?)?.abs()?.max_all()?.to_scalar::<f32>()?;
    println!("the check's images differ by {worst:.1e}");
    if worst.is_nan() || worst > 1e-5 {
        return Err("these are not the images that the file was written with".into());
    }

    let shape = (64, check("check.z")?.dim(1)?);
    let z = match spec["latent"].as_str() {
        Some("uniform") => Tensor::rand(-1f32, 1.0, shape, &Device::Cpu)?,
        _ => Tensor::randn(0f32, 1.0, shape, &Device::Cpu)?,
    };
    let images = generator.forward(&z)?;
    let bytes = ((images * 127.5)? + 127.5)?.clamp(0f32, 255.0)?.to_dtype(DType::U8)?;
    let side = bytes.i((0, 0, 0))?.elem_count();
    write_grid(&out, &bytes.flatten_all()?.to_vec1::<u8>()?, side, 8, 1)?;
    println!("{}: 64 images", out.display());
    Ok(())
}
