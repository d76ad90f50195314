//! For checking or extending the networks: `replay`, `model summary`.

use super::device::for_replay;
use super::{Change, Job};
use crate::Ended;
use crate::args::{Networks, Precision};
use crate::say::{counted, say};
use crate::table::{Align, Table, width};
use anyhow::Result;
use sngan_core::model::Place;
use sngan_core::replay as replaying;
use sngan_core::trainer::Backend;
use sngan_experiment::RunSpec;
use sngan_experiment::arch::{Activation, LayerKind, LayerSpec, Norm, Pooling, Step};
use sngan_experiment::method::Method;
use sngan_tensor::Device;
use std::path::PathBuf;

pub(crate) fn replay(
    case: PathBuf,
    out: PathBuf,
    precision: Precision,
    device: Option<String>,
) -> Job {
    Job::that_changes([Change::file(&out, "the final state")], move || {
        let case = replaying::read(&case)?;
        let backend: Box<dyn Backend> = match (device, precision) {
            (None, Precision::F64) => Box::new(Place::oracle()),
            (None, Precision::F32) => Box::new(Place::new(&Device::Cpu)),
            (Some(device), precision) => for_replay(&device, precision)?,
        };
        let state = replaying::run(&case, backend.as_ref())?;
        replaying::write(&out, &state)?;
        say!(
            "{}: {} after {} of {}",
            out.display(),
            counted(state.len(), "tensor"),
            counted(case.spec.gen_updates, "update"),
            case.spec.label
        );
        Ok(Ended::Well)
    })
    .on(0)
}

pub(crate) fn summary(networks: &Networks) -> Result<Ended> {
    let Networks { width_divisor, dis_width_factor, last_conv_factor, n_classes, .. } = *networks;
    let mut spec = RunSpec {
        width_divisor,
        dis_width_factor,
        last_conv_factor,
        n_classes,
        ..RunSpec::paper(Method::Sn)
    };
    spec.set("architecture", &networks.architecture)?;
    spec.set("conditioning", &networks.conditioning)?;
    spec.side = networks.side.unwrap_or(spec.architecture.paper_side());
    let table = spec.layers()?;
    let mut rows = layers_of("G");
    add_steps(&mut rows, &table.generator);
    print_rows(&rows, table.generator_parameters());
    let mut rows = layers_of("D");
    add_steps(&mut rows, &table.discriminator);
    match table.head.pooling {
        Pooling::Flatten => {}
        Pooling::Sum => add_row(&mut rows, "", "sum over the plane", None, 0),
        Pooling::Mean => add_row(&mut rows, "", "mean over the plane", None, 0),
    }
    add_layer(&mut rows, &table.head.dense);
    table.head.labels.iter().for_each(|labels| add_layer(&mut rows, labels.layer()));
    print_rows(&rows, table.discriminator_parameters());
    Ok(Ended::Well)
}

fn layers_of(network: &str) -> Table {
    let right = |head| (head, Align::Right);
    Table::new(&[
        (network, Align::Left),
        ("layer", Align::Left),
        right("output"),
        right("parameters"),
    ])
}

fn print_rows(rows: &Table, parameters: usize) {
    crate::say::write(format_args!("{}", rows.text(width())));
    say!("  {parameters} parameters in all");
}

fn add_steps(rows: &mut Table, steps: &[Step]) {
    for step in steps {
        match step {
            Step::Layer(layer) | Step::Concat(layer) => add_layer(rows, layer),
            Step::Point(point) => {
                let line = format!("{}{}", norm(point.norm), activation(point.activation));
                add_row(
                    rows,
                    &point.name,
                    line.trim_start_matches(", "),
                    Some(point.output),
                    step.parameters(),
                );
            }
            Step::Upsample => add_row(rows, "", "upsample 2x", None, 0),
            Step::AveragePool => add_row(rows, "", "mean of 2x2", None, 0),
            Step::Block(block) => {
                add_row(rows, &block.name, "residual block, the sum of", Some(block.output), 0);
                add_steps(rows, &block.residual);
                let with = if block.shortcut.is_empty() { "and its input" } else { "and" };
                add_row(rows, "", with, None, 0);
                add_steps(rows, &block.shortcut);
            }
        }
    }
}

fn add_layer(rows: &mut Table, layer: &LayerSpec) {
    let what = match layer.kind {
        LayerKind::Dense { input, output } => format!("dense {input} → {output}"),
        LayerKind::Conv { input, output, kernel, stride, .. } => {
            format!("conv {kernel}x{kernel} stride {stride}, {input} → {output}")
        }
        LayerKind::Deconv { input, output, kernel, stride, .. } => {
            format!("deconv {kernel}x{kernel} stride {stride}, {input} → {output}")
        }
        LayerKind::Embedding { classes, dim } => format!("embedding of {classes} classes in {dim}"),
    };
    add_row(
        rows,
        &layer.name,
        &format!("{what}{}{}", norm(layer.norm), activation(layer.activation)),
        Some(layer.output),
        layer.parameters(),
    );
}

/// One row; a step without name and parameters is neither a layer nor a block.
fn add_row(
    rows: &mut Table,
    name: &str,
    what: &str,
    output: Option<[usize; 3]>,
    parameters: usize,
) {
    let output = output.map_or(String::new(), |[c, h, w]| format!("{c}x{h}x{w}"));
    let parameters = if parameters > 0 { parameters.to_string() } else { String::new() };
    rows.row(vec![format!("  {name}"), what.into(), output, parameters]);
}

fn norm(norm: Norm) -> &'static str {
    match norm {
        Norm::None | Norm::ByMethod => "",
        Norm::Batch => ", BN",
        Norm::ConditionalBatch { .. } => ", conditional BN",
    }
}

fn activation(activation: Activation) -> String {
    match activation {
        Activation::Identity => String::new(),
        Activation::Relu => ", ReLU".into(),
        Activation::LeakyRelu { slope } => format!(", leaky ReLU {slope}"),
        Activation::Tanh => ", tanh".into(),
    }
}
