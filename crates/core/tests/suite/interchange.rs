//! Export to PyTorch's names and back.

use crate::support::{F32_ROUNDING, distance, images, smallest, tiny, values};
use candle_core::{DType, Device, Tensor};
use sngan_core::checkpoint::{self, Metadata, encode};
use sngan_core::generate;
use sngan_core::interchange::weights::{self, Weights};
use sngan_core::interchange::{self, Exchange, decode};
use sngan_core::model::{Discriminator, Generator, Labels, Mode, Parameters, Place, TensorSource};
use sngan_core::norm::Iterate;
use sngan_core::trainer::{TrainOptions, train};
use sngan_experiment::arch::{Architecture, Conditioning};
use sngan_experiment::method::{Method, Normalization};
use sngan_experiment::records::Source;
use sngan_experiment::{FolderLock, RunDir, RunSpec, WidthCorrection};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::AtomicBool;

type Tensors = BTreeMap<String, Tensor>;
/// A change to a file's tensors.
type Change<'a> = &'a dyn Fn(&mut Tensors);

fn trained(dir: &Path, spec: &RunSpec) {
    let options = TrainOptions {
        threads: 1,
        log_every: 1,
        checkpoint_every: 2,
        sample_every: 0,
        eval_every: 0,
        source: Source::default(),
        held_out: None,
    };
    train(
        dir,
        spec,
        &images(10, spec.side),
        &Place::new(&Device::Cpu),
        &options,
        &AtomicBool::new(false),
        &mut |_| Ok(()),
    )
    .unwrap();
}

fn specs() -> Vec<RunSpec> {
    let mut specs: Vec<RunSpec> =
        Method::ALL.into_iter().map(|m| RunSpec { gen_updates: 2, ..tiny(m) }).collect();
    for normalization in [Normalization::Spectral, Normalization::Weight, Normalization::Frobenius]
    {
        specs.push(RunSpec { gen_updates: 2, normalization, gamma: true, ..tiny(Method::WganGp) });
    }
    // Weights that D multiplies by their width's correction: others must find them multiplied.
    for method in [Method::WganGp, Method::WeightClipping] {
        let width_correction = WidthCorrection::Multiplier;
        let mut spec = RunSpec { gen_updates: 2, width_correction, ..tiny(method) };
        spec.settle().unwrap();
        assert_eq!(spec.width_correction, width_correction);
        specs.push(spec);
    }
    let networks = [
        (Method::Sn, Architecture::ResnetCifar10, Conditioning::Projection),
        (Method::LayerNorm, Architecture::ResnetStl10, Conditioning::Concat),
        (Method::BatchNorm, Architecture::ResnetGulrajani, Conditioning::AcGan),
        (Method::Vanilla, Architecture::StandardCnnCgl, Conditioning::None),
    ];
    for (method, architecture, conditioning) in networks {
        specs.push(RunSpec { gen_ema: 0.5, ..smallest(method, architecture, conditioning) });
    }
    specs
}

#[test]
fn what_is_exported_and_imported_is_the_same_to_the_bit() {
    for spec in specs() {
        let folder = tempfile::tempdir().unwrap();
        let (run, file, back, again) = (
            folder.path().join("run"),
            folder.path().join("torch.safetensors"),
            folder.path().join("back"),
            folder.path().join("again.safetensors"),
        );
        trained(&run, &spec);
        let exported = interchange::export(&run, &file, &mut |_| ()).unwrap();
        let lock = FolderLock::take(&back).unwrap();
        assert!(interchange::import(&file, &back).unwrap_err().to_string().contains("in use"));
        drop(lock);
        interchange::import(&file, &back).unwrap();
        let dir = RunDir::new(&back);
        let mut named = spec.clone();
        named.name_truly();
        assert_eq!(dir.spec().unwrap(), named);
        let imported = checkpoint::latest(&dir, &dir.spec().unwrap(), &Device::Cpu, &mut |_| ())
            .unwrap()
            .unwrap();
        // The checksum is of the files in its own folder.
        let alone = Metadata { checksum: None, ..imported.metadata };
        assert_eq!(alone, exported.checkpoint.metadata, "{:?}", spec.method);
        assert!(
            encode(&imported.tensors).unwrap() == encode(&exported.checkpoint.tensors).unwrap(),
            "{:?}",
            spec.method
        );
        // A checkpoint file will do as well, and the same run gives the same bytes.
        interchange::export(&back.join("checkpoints/00000002.safetensors"), &again, &mut |_| ())
            .unwrap();
        assert!(
            std::fs::read(&file).unwrap() == std::fs::read(&again).unwrap(),
            "{:?}",
            spec.method
        );
        assert!(
            interchange::import(&file, &back)
                .unwrap_err()
                .to_string()
                .contains("holds a run already")
        );
    }
}

#[test]
fn an_imported_run_continues_as_the_original_would() {
    let folder = tempfile::tempdir().unwrap();
    let (run, file, back) = (
        folder.path().join("run"),
        folder.path().join("torch.safetensors"),
        folder.path().join("back"),
    );
    let short = RunSpec { gen_updates: 3, gamma: true, ..tiny(Method::Sn) };
    let long = RunSpec { gen_updates: 6, ..short.clone() };
    trained(&run, &short);
    interchange::export(&run, &file, &mut |_| ()).unwrap();
    interchange::import(&file, &back).unwrap();
    for dir in [&run, &back] {
        trained(dir, &long);
    }
    let last = |dir| {
        checkpoint::latest(&RunDir::new(dir), &long, &Device::Cpu, &mut |_| ()).unwrap().unwrap()
    };
    let (a, b) = (last(run), last(back));
    assert_eq!((a.gen_updates, b.gen_updates), (6, 6));
    assert!(encode(&a.tensors).unwrap() == encode(&b.tensors).unwrap());
}

/// The tensors of a file by name, and its metadata.
fn open(bytes: &[u8]) -> (Tensors, HashMap<String, String>) {
    let (_, header) = safetensors::SafeTensors::read_metadata(bytes).unwrap();
    (
        candle_core::safetensors::load_buffer(bytes, &Device::Cpu).unwrap().into_iter().collect(),
        header.metadata().clone().unwrap(),
    )
}

fn close(tensors: &Tensors, metadata: &HashMap<String, String>) -> Vec<u8> {
    safetensors::serialize(tensors, Some(metadata.clone())).unwrap()
}

fn file(spec: &RunSpec) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("torch.safetensors");
    trained(&folder.path().join("run"), spec);
    interchange::export(&folder.path().join("run"), &out, &mut |_| ()).unwrap();
    std::fs::read(out).unwrap()
}

#[test]
fn names_are_those_of_the_documented_modules() {
    let names = |spec: &RunSpec| {
        let (tensors, _) = open(&file(spec));
        tensors.into_keys().filter(|k| !k.starts_with("state.")).collect::<Vec<_>>()
    };
    let mut expected: Vec<String> =
        ["images", "outputs", "x", "z"].map(|k| format!("check.{k}")).into();
    for layer in (0..7).map(|i| format!("conv{i}")).chain(["dense".into()]) {
        expected.extend(["bias", "weight"].map(|p| format!("discriminator.{layer}.{p}")));
    }
    for i in 0..3 {
        let parts = ["bias", "num_batches_tracked", "running_mean", "running_var", "weight"];
        expected.extend(parts.map(|p| format!("generator.bn{i}.{p}")));
        expected.extend(["bias", "weight"].map(|p| format!("generator.deconv{i}.{p}")));
    }
    expected.extend(
        ["conv", "dense"]
            .iter()
            .flat_map(|l| ["bias", "weight"].map(|p| format!("generator.{l}.{p}"))),
    );
    expected.sort();
    assert_eq!(names(&RunSpec { gen_updates: 1, gamma: true, ..tiny(Method::Sn) }), expected);
    for (method, module) in [(Method::BatchNorm, "bn"), (Method::LayerNorm, "ln")] {
        let mut more = expected.clone();
        more.extend(
            (1..7)
                .flat_map(|i| ["bias", "weight"].map(|p| format!("discriminator.{module}{i}.{p}"))),
        );
        more.sort();
        assert_eq!(names(&RunSpec { gen_updates: 1, ..tiny(method) }), more);
    }
}

#[test]
fn a_file_that_is_not_what_it_should_be_is_refused_by_name() {
    let (tensors, metadata) = open(&file(&RunSpec { gen_updates: 1, ..tiny(Method::Sn) }));
    let refusal = |change: Change<'_>| {
        let mut changed = tensors.clone();
        change(&mut changed);
        decode(Path::new("torch.safetensors"), &close(&changed, &metadata)).unwrap_err().to_string()
    };
    let cases: [(&str, Change<'_>); 6] = [
        ("no tensor `generator.bn1.running_var`", &|t| drop(t.remove("generator.bn1.running_var"))),
        ("no tensor `state.discriminator.conv3.u`", &|t| {
            drop(t.remove("state.discriminator.conv3.u"))
        }),
        ("`generator.conv.bias` is [3, 1]", &|t| {
            let b = t["generator.conv.bias"].reshape((3, 1)).unwrap();
            t.insert("generator.conv.bias".into(), b);
        }),
        ("`generator.conv.bias` is F64", &|t| {
            let b = t["generator.conv.bias"].to_dtype(DType::F64).unwrap();
            t.insert("generator.conv.bias".into(), b);
        }),
        ("`discriminator.conv2.weight` is not what the tensors under `state.` make of it", &|t| {
            let w = (&t["discriminator.conv2.weight"] * 1.001).unwrap();
            t.insert("discriminator.conv2.weight".into(), w);
        }),
        ("`discriminator.conv9.weight` is unknown", &|t| {
            let w = t["discriminator.conv2.weight"].clone();
            t.insert("discriminator.conv9.weight".into(), w);
        }),
    ];
    for (message, change) in cases {
        let said = refusal(change);
        assert!(said.contains(message) && said.contains("torch.safetensors"), "{said}");
    }
    let said = decode(Path::new("f"), &close(&tensors, &HashMap::new())).unwrap_err().to_string();
    assert!(said.contains("no `sngan`"), "{said}");
    assert!(decode(Path::new("f"), b"garbage").is_err());
}

#[test]
fn the_check_is_what_the_exported_weights_give() {
    for spec in specs()
        .into_iter()
        .filter(|s| !matches!(s.normalization, Normalization::Batch | Normalization::Layer))
    {
        let bytes = file(&spec);
        let (tensors, _) = open(&bytes);
        let state = decode(Path::new("f"), &bytes).unwrap().checkpoint.tensors;
        let mut g =
            Generator::new(&spec, &TensorSource::given(&state, &Place::new(&Device::Cpu))).unwrap();
        let labels = tensors.get("check.y").map(|y| {
            let classes = values(y).into_iter().map(|y| y as u32).collect();
            Labels::new(classes, spec.n_classes, &Place::new(&Device::Cpu)).unwrap()
        });
        let images = g
            .forward(&tensors["check.z"], labels.as_ref(), Parameters::Frozen, Mode::Eval)
            .unwrap();
        assert_eq!(values(&images), values(&tensors["check.images"]));
        // A discriminator that normalizes nothing.
        let plain = RunSpec {
            normalization: Normalization::None,
            gamma: false,
            width_correction: WidthCorrection::None,
            ..spec.clone()
        };
        let mut d =
            Discriminator::new(&plain, &TensorSource::given(&tensors, &Place::new(&Device::Cpu)))
                .unwrap();
        let weights = d.weights(Parameters::Frozen, Iterate::Frozen).unwrap();
        let outputs = d.forward(&weights, &tensors["check.x"], labels.as_ref()).unwrap().outputs;
        assert!(
            distance(&outputs, &tensors["check.outputs"]) < F32_ROUNDING,
            "{:?} γ={}",
            spec.normalization,
            spec.gamma
        );
    }
}

#[test]
fn a_state_dict_changed_in_pytorch_comes_back_changed() {
    // Without a normalization of weights, the state dict holds D's weights themselves.
    for (method, key, name) in [
        (Method::Vanilla, "discriminator.conv2.weight", "discriminator.conv2.weight"),
        (Method::Sn, "generator.bn1.weight", "generator.deconv1.bn.gamma"),
    ] {
        let (mut tensors, metadata) = open(&file(&RunSpec { gen_updates: 1, ..tiny(method) }));
        let changed = (&tensors[key] + 1.0).unwrap();
        tensors.insert(key.into(), changed.clone());
        let back = decode(Path::new("f"), &close(&tensors, &metadata)).unwrap();
        assert_eq!(values(&back.checkpoint.tensors[name]), values(&changed));
    }
}

#[test]
fn the_loader_for_pytorch_knows_every_network() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let script = std::fs::read_to_string(docs.join("load_pytorch.py")).unwrap();
    for network in Architecture::ALL {
        assert!(script.contains(&format!("\"{}\": ", network.name())), "{}", network.name());
    }
    assert!(
        std::fs::read_to_string(docs.join("interchange.md")).unwrap().contains("load_pytorch.py")
    );
}

/// A run's exported generator.
fn weights_of(spec: &RunSpec) -> (Exchange, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let (run, out) = (folder.path().join("run"), folder.path().join("weights.safetensors"));
    trained(&run, spec);
    let exchange = weights::export(&run, &out, &mut |_| ()).unwrap();
    (exchange, std::fs::read(out).unwrap())
}

#[test]
fn a_generator_alone_comes_back_rounded_to_half_precision() {
    for spec in specs() {
        let (exported, bytes) = weights_of(&spec);
        let read = weights::decode(Path::new("w"), &bytes).unwrap().exchange;
        let mut named = spec.clone();
        named.name_truly();
        assert_eq!((&read.spec, read.checkpoint.gen_updates), (&named, 2));
        assert_eq!(read.checkpoint.metadata, exported.checkpoint.metadata);
        let average = spec.gen_ema > 0.0;
        for (name, t) in &read.checkpoint.tensors {
            let source = if average { format!("ema.{name}") } else { name.clone() };
            let mut expected = exported.checkpoint.tensors[&source].clone();
            if expected.rank() > 1 {
                expected = expected.to_dtype(DType::F16).unwrap().to_dtype(DType::F32).unwrap();
            }
            assert_eq!(distance(t, &expected), 0.0, "{name}");
        }
        assert!(read.checkpoint.tensors.keys().all(|name| name.starts_with("generator.")));

        // The check is of the rounded weights; a byte may differ by what rounding does.
        let (tensors, _) = open(&bytes);
        let place = Place::new(&Device::Cpu);
        let source = TensorSource::given(&read.checkpoint.tensors, &place);
        let mut g = Generator::new(&read.spec, &source).unwrap();
        let labels = tensors.get("check.y").map(|y| {
            let classes = values(y).into_iter().map(|y| y as u32).collect();
            Labels::new(classes, read.spec.n_classes, &place).unwrap()
        });
        let images = g
            .forward(&tensors["check.z"], labels.as_ref(), Parameters::Frozen, Mode::Eval)
            .unwrap();
        assert_eq!(distance(&images, &tensors["check.images"]), 0.0);
        let samples = |exchange: &Exchange| {
            generate::images(&exchange.spec, &exchange.checkpoint, &Device::Cpu, 5, 1).unwrap()
        };
        let (whole, half) = (samples(&exported), samples(&read));
        let differ = whole.iter().zip(&half).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(differ <= 1, "{differ}");
    }
}

#[test]
fn weights_that_are_not_as_they_were_written_are_refused() {
    let spec = RunSpec { gen_updates: 1, ..tiny(Method::Sn) };
    let (exported, bytes) = weights_of(&spec);
    let (tensors, metadata) = open(&bytes);
    let refused = |tensors: &Tensors, metadata: &HashMap<String, String>| {
        weights::decode(Path::new("w"), &close(tensors, metadata)).unwrap_err().to_string()
    };
    weights::decode(Path::new("w"), &close(&tensors, &metadata)).unwrap();
    let mut other = tensors.clone();
    let weight = other["generator.dense.weight"].clone();
    other.insert("generator.dense.weight".into(), (weight * 1.001).unwrap());
    assert!(refused(&other, &metadata).contains("not as it was written"));
    let wider = tensors.iter().map(|(name, t)| {
        let dtype = if t.dtype() == DType::F16 { DType::F32 } else { t.dtype() };
        (name.clone(), t.to_dtype(dtype).unwrap())
    });
    assert!(refused(&wider.collect(), &metadata).contains("not as it was written"));
    let mut reshaped = tensors.clone();
    reshaped.insert("check.z".into(), tensors["check.z"].flatten_all().unwrap());
    assert!(refused(&reshaped, &metadata).contains("not as it was written"));
    for name in ["generator.conv.bias", "check.z", "generator.bn0.num_batches_tracked"] {
        let mut fewer = tensors.clone();
        fewer.remove(name);
        assert!(refused(&fewer, &metadata).contains("not as it was written"), "{name}");
    }
    let changes = [
        ("\"gen_updates\":1", "\"gen_updates\":9"),
        ("\"seed\":", "\"seed\":1"),
        ("\"log_every\":1", "\"log_every\":2"),
        ("\"horizon\":true", "\"horizon\":false"),
    ];
    for (old, new) in changes {
        let mut other = metadata.clone();
        let text = other["sngan"].clone();
        assert!(text.contains(old), "{text}");
        other.insert("sngan".into(), text.replace(old, new));
        assert!(refused(&tensors, &other).contains("not as it was written"), "{old}");
    }
    for cut in [10, 100, bytes.len() / 2, bytes.len() - 1] {
        assert!(weights::decode(Path::new("w"), &bytes[..cut]).is_err(), "{cut}");
    }

    // What is a run elsewhere is none here, and a whole export has a generator too.
    let said = decode(Path::new("w"), &bytes).unwrap_err().to_string();
    assert!(said.contains("a generator alone"), "{said}");
    let whole = weights::decode(Path::new("w"), &interchange::encode(&exported).unwrap()).unwrap();
    assert!(whole.exchange.checkpoint.tensors.contains_key("discriminator.conv0.weight"));
    let other = close(&tensors, &HashMap::from([("format".into(), "pt".into())]));
    let said = weights::decode(Path::new("w"), &other).unwrap_err().to_string();
    assert!(said.contains("neither a generator's weights nor an export"), "{said}");

    let mut large = exported;
    let weight = large.checkpoint.tensors["generator.dense.weight"].clone();
    let large_weight = (weight * 1e9).unwrap();
    let encode = |exchange: &Exchange| {
        let weights = Weights { exchange: exchange.clone(), classes: Vec::new() };
        weights::encode(&weights).unwrap_err().to_string()
    };
    large.checkpoint.tensors.insert("generator.dense.weight".into(), large_weight);
    let said = encode(&large);
    assert!(said.contains("generator.dense.weight") && said.contains("half precision"), "{said}");
    let bias = (&large.checkpoint.tensors["generator.dense.bias"] * f64::INFINITY).unwrap();
    large.checkpoint.tensors.insert("generator.dense.bias".into(), bias);
    let said = encode(&large);
    assert!(said.contains("generator.dense.bias") && said.contains("not finite"), "{said}");
}
