//! What those need who check or extend the networks: `replay`, `export`, `import`, `model summary`.

use crate::Ended;
use crate::args::Precision;
use anyhow::Result;
use sngan_core::model::Place;
use sngan_core::replay as replaying;
use sngan_core::{Device, interchange};
use sngan_experiment::arch::{Activation, Architecture, LayerKind, LayerSpec};
use std::path::Path;

pub(crate) fn replay(case: &Path, out: &Path, precision: Precision) -> Result<Ended> {
    let case = replaying::read(case)?;
    let place = match precision {
        Precision::F64 => Place::oracle(),
        Precision::F32 => Place::new(&Device::Cpu),
    };
    let state = replaying::run(&case, &place)?;
    replaying::write(out, &state)?;
    println!("{}: {} tensors after {} updates of {}", out.display(), state.len(), case.spec.gen_updates, case.spec.label);
    Ok(Ended::Well)
}

pub(crate) fn export(source: &Path, out: &Path) -> Result<Ended> {
    let exchange = interchange::export(source, out)?;
    println!("{}: {} after {} updates", out.display(), exchange.spec.label, exchange.checkpoint.gen_updates);
    Ok(Ended::Well)
}

pub(crate) fn import(file: &Path, out: &Path) -> Result<Ended> {
    let exchange = interchange::import(file, out)?;
    let (label, done) = (exchange.spec.label, exchange.checkpoint.gen_updates);
    let (run, spec) = (out.display(), out.join("spec.toml"));
    println!("{run}: {label} after {done} updates; `sngan train {} --out {run} --resume` continues it", spec.display());
    Ok(Ended::Well)
}

pub(crate) fn summary(side: usize, width_divisor: usize) -> Result<Ended> {
    let layers = Architecture::StandardCnn.layers(side, width_divisor)?;
    print_network("G", &layers.generator);
    print_network("D", &layers.discriminator);
    Ok(Ended::Well)
}

fn print_network(name: &str, layers: &[LayerSpec]) {
    println!("{name:<10} {:<52} {:>12} {:>9}", "layer", "output", "parameters");
    let mut total = 0;
    for layer in layers {
        let what = match layer.kind {
            LayerKind::Dense { input, output } => format!("dense {input} → {output}"),
            LayerKind::Conv { input, output, kernel, stride, .. } => format!("conv {kernel}x{kernel} stride {stride}, {input} → {output}"),
            LayerKind::Deconv { input, output, kernel, stride, .. } => {
                format!("deconv {kernel}x{kernel} stride {stride}, {input} → {output}")
            }
        };
        let [c, h, w] = layer.output;
        let normalized = if layer.batch_norm { ", BN" } else { "" };
        // Batch normalization's γ and β are parameters too.
        let parameters = layer.kind.parameters() + if layer.batch_norm { 2 * c } else { 0 };
        total += parameters;
        let activation = match layer.activation {
            Activation::Identity => String::new(),
            Activation::Relu => ", ReLU".into(),
            Activation::LeakyRelu { slope } => format!(", leaky ReLU {slope}"),
            Activation::Tanh => ", tanh".into(),
        };
        let line = format!("{what}{normalized}{activation}");
        println!("  {:<8} {line:<52} {:>12} {parameters:>9}", layer.name, format!("{c}x{h}x{w}"));
    }
    println!("  {total} parameters in all");
}
