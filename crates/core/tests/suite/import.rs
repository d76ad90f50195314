//! Networks of other programs: snapshots in the format of the authors' Chainer code, with the numbers that this code ended with, and a state
//! dict of PyTorch by the map of docs/.

use crate::support::{F32_OUTPUT, distance, fixtures, values};
use candle_core::{DType, Device, Tensor};
use sngan_core::checkpoint::{self, Checkpoint};
use sngan_core::generate::{SampleRequest, Sampler};
use sngan_core::import::{self, Import, Request};
use sngan_core::model::{Discriminator, Generator, Mode, Parameters, Place, TensorSource};
use sngan_core::norm::Iterate;
use sngan_core::{interchange, replay, spectrum};
use sngan_experiment::arch::{Architecture, Conditioning};
use sngan_experiment::method::Normalization;
use sngan_experiment::{Latent, RunDir, RunSpec};
use sngan_tensor::tensor_file::{self, Types};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// An array of a snapshot: its key, NumPy's name of its type, its shape and its bytes.
#[derive(Clone)]
struct Array {
    key: String,
    descr: &'static str,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Array {
    fn of(key: impl Into<String>, t: &Tensor) -> Array {
        let bytes = values(t).iter().flat_map(|x| (*x as f32).to_le_bytes()).collect();
        Array { key: key.into(), descr: "<f4", shape: t.dims().to_vec(), bytes }
    }

    fn counter(key: &str, n: i32) -> Array {
        Array { key: key.into(), descr: "<i4", shape: Vec::new(), bytes: n.to_le_bytes().into() }
    }
}

/// An archive as `numpy.savez` and Chainer's `save_npz` write it.
fn write(path: &Path, arrays: &[Array]) {
    let mut archive = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    for Array { key, descr, shape, bytes } in arrays {
        let options = zip::write::SimpleFileOptions::default();
        archive.start_file(format!("{key}.npy"), options).unwrap();
        let shape: String = shape.iter().map(|n| format!("{n}, ")).collect();
        let header =
            format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
        archive.write_all(b"\x93NUMPY\x01\x00\x76\x00").unwrap();
        archive.write_all(format!("{header:<117}\n").as_bytes()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap();
}

/// What the authors' code ended with, by checkpoint name.
fn ended(case: &str) -> (RunSpec, BTreeMap<String, Tensor>) {
    let case = replay::read(&fixtures().join(format!("authors/{case}.safetensors"))).unwrap();
    let state = case.tensors.into_iter().filter_map(|(name, t)| {
        let name = name.strip_prefix("expected.")?.to_string();
        (!name.starts_with("update.")).then_some((name, t))
    });
    (case.spec, state.collect())
}

/// The snapshots of G and of D of a case of the ResNet for 32 pixels, with the keys that `save_npz` gives the authors' links.
fn resnet32(state: &BTreeMap<String, Tensor>, labels: bool) -> (Vec<Array>, Vec<Array>) {
    let (mut g, mut d) = (Vec::new(), Vec::new());
    let mut add = |name: &str, key: String| {
        let (network, name) = (&name[..1], name);
        let t = &state[name];
        // Chainer's u is a row.
        let t = if key.ends_with("/u") { t.unsqueeze(0).unwrap() } else { t.clone() };
        if network == "g" { g.push(Array::of(key, &t)) } else { d.push(Array::of(key, &t)) }
    };
    let conv = |name: &str, key: &str| {
        vec![
            (format!("{name}.weight"), format!("{key}/W")),
            (format!("{name}.bias"), format!("{key}/b")),
        ]
    };
    let norm = |name: &str, key: &str, labels: bool| {
        let (gamma, beta) = if labels { ("gammas/W", "betas/W") } else { ("gamma", "beta") };
        [("gamma", gamma), ("beta", beta), ("running_mean", "avg_mean"), ("running_var", "avg_var")]
            .map(|(part, of)| (format!("{name}.bn.{part}"), format!("{key}/{of}")))
            .to_vec()
    };
    let mut names = conv("generator.dense", "l1");
    for (ours, theirs) in [("block0", "block2"), ("block1", "block3"), ("block2", "block4")] {
        let at = |layer: &str| format!("generator.{ours}.{layer}");
        names.extend(norm(&at("input"), &format!("{theirs}/b1"), labels));
        names.extend(conv(&at("conv1"), &format!("{theirs}/c1")));
        names.extend(norm(&at("conv1"), &format!("{theirs}/b2"), labels));
        names.extend(conv(&at("conv2"), &format!("{theirs}/c2")));
        names.extend(conv(&at("shortcut"), &format!("{theirs}/c_sc")));
    }
    names.extend(norm("generator.output", "b5", false));
    names.extend(conv("generator.conv", "c5"));
    let spectral = |name: &str, key: &str| (format!("{name}.u"), format!("{key}/u"));
    for (ours, theirs, shortcut) in [
        ("block0", "block1", true),
        ("block1", "block2", true),
        ("block2", "block3", false),
        ("block3", "block4", false),
    ] {
        let layers = [("conv1", "c1"), ("conv2", "c2"), ("shortcut", "c_sc")];
        for (layer, key) in layers.into_iter().take(2 + usize::from(shortcut)) {
            let (name, key) = (format!("discriminator.{ours}.{layer}"), format!("{theirs}/{key}"));
            names.extend(conv(&name, &key));
            names.push(spectral(&name, &key));
        }
    }
    names.push(("discriminator.dense.weight".into(), "l5/W".into()));
    names.push(spectral("discriminator.dense", "l5"));
    if labels {
        names.push(("discriminator.embedding.weight".into(), "l_y/W".into()));
        names.push(spectral("discriminator.embedding", "l_y"));
    }
    assert_eq!(names.len(), state.len());
    names.into_iter().for_each(|(name, key)| add(&name, key));
    // A counter of batches stands in every batch normalization.
    g.push(Array::counter("b5/N", 12));
    (g, d)
}

/// The same of the standard CNN.
fn standard_cnn(state: &BTreeMap<String, Tensor>) -> (Vec<Array>, Vec<Array>) {
    let (mut g, mut d) = (Vec::new(), Vec::new());
    let convolutions = ["c0_0", "c0_1", "c1_0", "c1_1", "c2_0", "c2_1", "c3_0"];
    for (name, t) in state {
        let (network, path) = name.split_once('.').unwrap();
        let (layer, part) = path.split_once('.').unwrap();
        // Their snapshots hold no u.
        if part == "u" {
            continue;
        }
        let number = layer.trim_start_matches(char::is_alphabetic).parse::<usize>().unwrap_or(0);
        let key = match (network, layer, part) {
            ("generator", "dense", "weight") => "l0/W".into(),
            ("generator", "dense", "bias") => "l0/b".into(),
            ("generator", _, "weight") => format!("dc{}/W", number + 1),
            ("generator", _, "bias") => format!("dc{}/b", number + 1),
            ("generator", _, norm) => {
                let after = if layer == "dense" { 0 } else { number + 1 };
                let part = match norm {
                    "bn.gamma" => "gamma",
                    "bn.beta" => "beta",
                    "bn.running_mean" => "avg_mean",
                    _ => "avg_var",
                };
                format!("bn{after}/{part}")
            }
            (_, "dense", "weight") => "l4/W".into(),
            (_, "dense", _) => "l4/b".into(),
            (_, _, "weight") => format!("{}/W", convolutions[number]),
            (_, _, "bias") => format!("{}/b", convolutions[number]),
            _ => format!("{}/beta", convolutions[number].replace('c', "bn")),
        };
        let array = Array::of(key, t);
        if network == "generator" { g.push(array) } else { d.push(array) }
    }
    (g, d)
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, arrays: &[Array]) -> PathBuf {
        let path = self.path(name);
        write(&path, arrays);
        path
    }

    /// What is wrong with a snapshot of G.
    fn refusal(&self, arrays: &[Array]) -> String {
        let file = self.write("refused.npz", arrays);
        import::read(&Request { file, ..Request::default() }).unwrap_err().to_string()
    }
}

fn both(folder: &Folder, g: &[Array], d: &[Array]) -> Request {
    Request {
        file: folder.write("ResNetGenerator_450000.npz", g),
        discriminator: Some(folder.write("D_450000.npz", d)),
        ..Request::default()
    }
}

/// Whether every tensor is what the authors' code ended with, as f32; u by its direction.
fn check_state(import: &Import, state: &BTreeMap<String, Tensor>, without_u: bool) {
    let found = &import.exchange.checkpoint.tensors;
    assert!(found.keys().eq(state.keys()), "{:?} {:?}", found.keys(), state.keys());
    for (name, t) in found {
        let (ours, theirs) = (values(t), values(&state[name]));
        if name.ends_with(".u") {
            let length = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
            assert!((length(&ours) - 1.0).abs() < 1e-6, "{name}");
            let cosine: f64 = ours.iter().zip(&theirs).map(|(a, b)| a * b).sum();
            assert!(without_u || cosine / length(&theirs) > 1.0 - 1e-6, "{name}");
            continue;
        }
        let same = ours.iter().zip(&theirs).all(|(a, b)| *a == f64::from(*b as f32));
        assert!(same, "{name}");
        assert_eq!(t.dims(), state[name].dims());
    }
}

fn drawn(spec: &RunSpec, tensors: &BTreeMap<String, Tensor>) -> Vec<u8> {
    let source = TensorSource::given(tensors, &Place::new(&Device::Cpu));
    let mut sampler = Sampler::new(spec, &source).unwrap();
    sampler.draw(SampleRequest { first: 0, n: 3, seed: 1, class: None }).unwrap()
}

#[test]
fn the_authors_snapshots_become_their_networks() {
    for (name, labels) in [("snp-32", false), ("snp-32-projection", true)] {
        let (spec, state) = ended(name);
        let (g, d) = resnet32(&state, labels);
        let folder = Folder::new();
        let found = import::read(&both(&folder, &g, &d)).unwrap();
        check_state(&found, &state, false);
        let of = &found.exchange.spec;
        let known = [&spec, of].map(|s| (s.sizes(), s.normalization, s.latent, s.gamma));
        assert_eq!(known[0], known[1]);
        assert_eq!((of.label.as_str(), of.gen_updates), ("ResNetGenerator_450000", 450_000));
        assert!(of.knows("gen_updates") && of.knows("normalization") && !of.knows("lr"));
        assert!(found.remarks.is_empty(), "{:?}", found.remarks);
        assert!(drawn(of, &found.exchange.checkpoint.tensors) == drawn(&spec, &f32s(&state)));
    }
}

/// A state as a checkpoint holds it.
fn f32s(state: &BTreeMap<String, Tensor>) -> BTreeMap<String, Tensor> {
    state.iter().map(|(k, t)| (k.clone(), t.to_dtype(DType::F32).unwrap())).collect()
}

#[test]
fn their_standard_cnn_has_no_u_and_its_weights_get_their_exact_norms() {
    for (name, normalization) in
        [("cgl-sndcgan", Normalization::Spectral), ("cgl-dcgan-bn", Normalization::Batch)]
    {
        let (_, state) = ended(name);
        let (g, d) = standard_cnn(&state);
        let folder = Folder::new();
        let request = both(&folder, &g, &d);
        let found = import::import(&request, &folder.path("run")).unwrap();
        check_state(&found, &state, true);
        let spec = &found.exchange.spec;
        assert_eq!(
            (spec.architecture, spec.latent),
            (Architecture::StandardCnnCgl, Latent::Uniform)
        );
        assert_eq!((spec.side, spec.width_divisor), (32, 16));
        assert_eq!(spec.normalization, normalization);
        assert_eq!(found.remarks.len(), usize::from(normalization == Normalization::Spectral));
        if normalization == Normalization::Spectral {
            let analysis = spectrum::analyse(spec, &found.exchange.checkpoint, None).unwrap();
            for layer in analysis.layers {
                assert!((layer.effective.sigma() - 1.0).abs() < 1e-5, "{}", layer.name);
            }
        }
    }
}

#[test]
fn a_generator_alone_is_a_run_that_says_so() {
    let (spec, state) = ended("snp-32-projection");
    let (g, _) = resnet32(&state, true);
    let folder = Folder::new();
    let file = folder.write("gen.npz", &g);
    let request = Request { file, gen_updates: Some(7), ..Request::default() };
    let run = folder.path("run");
    import::import(&request, &run).unwrap();
    let dir = RunDir::new(&run);
    dir.check().unwrap();
    let of = dir.spec().unwrap();
    assert_eq!((of.n_classes, of.gen_updates), (10, 7));
    assert!(!of.knows("conditioning") && !of.has_discriminator());
    let imported = dir.provenance().unwrap().imported;
    let [from] = &imported[..] else { panic!("{imported:?}") };
    assert_eq!((from.name.as_str(), from.format.as_str()), ("gen.npz", "chainer"));
    assert_eq!(from.networks, ["generator"]);
    assert_eq!(Some(&from.sha256), of.imported.as_ref().map(|i| &i.generator));

    let newest = |dir: &RunDir, spec: &RunSpec| -> Checkpoint {
        checkpoint::latest(dir, spec, &Device::Cpu, &mut |w| panic!("{w}")).unwrap().unwrap()
    };
    let checkpoint = newest(&dir, &of);
    assert!(drawn(&of, &checkpoint.tensors) == drawn(&spec, &f32s(&state)));
    let said = spectrum::of_checkpoint(&of, &checkpoint).unwrap_err().to_string();
    assert!(said.contains("generator alone"), "{said}");
    assert!(said == spectrum::analyse(&of, &checkpoint, None).unwrap_err().to_string());
    // To PyTorch and back it is the same run.
    let (exported, back) = (folder.path("torch.safetensors"), folder.path("back"));
    interchange::export(&run, &exported, &mut |_| ()).unwrap();
    interchange::import(&exported, &back).unwrap();
    let back = RunDir::new(back);
    assert_eq!(back.spec().unwrap(), of);
    let again = newest(&back, &of).tensors;
    assert!(
        checkpoint::encode(&again).unwrap() == checkpoint::encode(&checkpoint.tensors).unwrap()
    );
    assert_eq!(back.provenance().unwrap().imported, imported);
}

#[test]
fn a_trainers_snapshot_holds_both_and_its_updates() {
    let (_, state) = ended("snp-32");
    let (g, d) = resnet32(&state, false);
    let under = |prefix: &str, arrays: &[Array]| {
        let moved = |a: &Array| Array { key: format!("updater/{prefix}/{}", a.key), ..a.clone() };
        arrays.iter().map(moved).collect::<Vec<_>>()
    };
    let mut all = under("model:gen", &g);
    all.extend(under("model:dis", &d));
    let moments = |a: &Array| Array { key: format!("{}/m", a.key), ..a.clone() };
    all.extend(under("optimizer:opt_gen", &g.iter().map(moments).collect::<Vec<_>>()));
    all.push(Array::counter("updater/iteration", 123));
    let folder = Folder::new();
    let file = folder.write("snapshot", &all);
    let found = import::read(&Request { file, ..Request::default() }).unwrap();
    check_state(&found, &state, false);
    assert_eq!(found.exchange.spec.gen_updates, 123);
    let [from] = &found.exchange.provenance.imported[..] else { panic!() };
    assert_eq!(from.networks, ["generator", "discriminator"]);

    all.extend(under("model:ema", &g));
    let file = folder.write("two", &all);
    let request = Request { file, ..Request::default() };
    let said = import::read(&request).unwrap_err().to_string();
    assert!(said.contains("`updater/model:ema/`") && said.contains("--state-dict"), "{said}");
    let state_dict = Some("updater/model:ema".into());
    let found = import::read(&Request { state_dict, ..request }).unwrap();
    assert!(!found.exchange.spec.has_discriminator());
}

#[test]
fn what_is_no_network_of_theirs_is_refused_by_name() {
    let (_, state) = ended("snp-32");
    let (g, d) = resnet32(&state, false);
    let folder = Folder::new();
    let at = |key: &str| g.iter().position(|a| a.key == key).unwrap();
    let changed = |key: &str, change: &dyn Fn(&mut Vec<Array>, usize)| {
        let (mut arrays, i) = (g.clone(), at(key));
        change(&mut arrays, i);
        folder.refusal(&arrays)
    };
    let said = changed("block3/c2/W", &|a, i| drop(a.remove(i)));
    assert!(said.contains("refused.npz: has no tensor `block3/c2/W`"), "{said}");
    let said = changed("block3/c2/b", &|a, i| {
        a[i] = Array::of("block3/c2/b", &state["generator.conv.bias"])
    });
    assert!(said.contains("`block3/c2/b` is [3]; the network needs [16]"), "{said}");
    let said = changed("l1/b", &|a, i| a[i].bytes[..4].copy_from_slice(&f32::NAN.to_le_bytes()));
    assert!(said.contains("`l1/b` holds a number that is not finite"), "{said}");
    let said = changed("l1/b", &|a, i| a[i].bytes.truncate(8));
    assert!(said.contains("`l1/b` has ") && said.contains("promises"), "{said}");
    let said = changed("l1/b", &|a, i| a.push(Array { key: "l9/W".into(), ..a[i].clone() }));
    assert!(said.contains("`l9/W` belongs to no layer"), "{said}");
    let said = changed("block4/c1/W", &|a, i| drop(a.remove(i)));
    assert!(said.contains("has 2 residual blocks"), "{said}");
    let said = folder.refusal(&d);
    assert!(said.contains("a discriminator alone") && said.contains("sngan spectrum"), "{said}");
    // The two files in each other's place, and others that a second file does not mend.
    let refused = |first: &[Array], second: &[Array]| {
        import::read(&both(&folder, first, second)).unwrap_err().to_string()
    };
    let said = refused(&d, &g);
    assert!(said.contains("ResNetGenerator_450000.npz: holds a discriminator alone"), "{said}");
    assert!(said.contains("D_450000.npz a generator alone: the two are swapped"), "{said}");
    let under = |place: &str, arrays: &[Array]| -> Vec<Array> {
        let moved = |a: &Array| Array { key: format!("{place}/{}", a.key), ..a.clone() };
        arrays.iter().map(moved).collect()
    };
    let whole = [under("gen", &g), under("dis", &d)].concat();
    let said = refused(&whole, &d);
    assert!(said.contains("holds a discriminator too; leave ") && !said.contains("--"), "{said}");
    let said = refused(&d, &whole);
    assert!(said.contains("D_450000.npz both networks; give that one alone"), "{said}");
    let said = refused(&d, &d);
    assert!(said.contains("D_450000.npz no generator; give the generator's file"), "{said}");
    let others = [Array::of("images", &state["generator.conv.bias"])];
    let said = refused(&others, &d);
    assert!(said.contains("no generator of the authors' code"), "{said}");
    let said = folder.refusal(&g[..2]);
    assert!(said.contains("0 residual blocks"), "{said}");
    let said = folder.refusal(&others);
    assert!(said.contains("no generator of the authors' code"), "{said}");
    // D of the conditional network with a G that is none.
    let (_, conditional) = ended("snp-32-projection");
    let (_, other) = resnet32(&conditional, true);
    let said = import::read(&both(&folder, &g, &other)).unwrap_err().to_string();
    assert!(said.contains("an unconditional generator"), "{said}");
    // A file of another kind needs a map.
    let file = fixtures().join("import/resnet32.safetensors");
    let said = import::read(&Request { file, ..Request::default() }).unwrap_err().to_string();
    assert!(said.contains("--map"), "{said}");
}

/// The map of docs/, for widths that are divided by 16.
fn map(change: impl Fn(String) -> String, folder: &Folder) -> PathBuf {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/maps/resnet32.toml");
    let text = std::fs::read_to_string(docs).unwrap();
    let narrow = text.replacen("side = 32\n", "side = 32\nwidth_divisor = 16\n", 1);
    assert_ne!(narrow, text);
    // The committed file holds both networks.
    let of = narrow.split("[discriminator]").collect::<Vec<_>>();
    let prefixed = |part: &str, prefix: &str| {
        let mut lines: Vec<String> = Vec::new();
        for line in part.lines() {
            let mapped = line
                .split_once(" = \"")
                .filter(|(name, _)| !["architecture", "latent", "normalization"].contains(name));
            lines.push(match mapped {
                Some((name, rest)) => format!("{name} = \"{prefix}{rest}"),
                None => line.into(),
            });
        }
        lines.join("\n")
    };
    let text = format!("{}\n[discriminator]\n{}\n", prefixed(of[0], "g/"), prefixed(of[1], "d/"));
    let path = folder.path("map.toml");
    std::fs::write(&path, change(text)).unwrap();
    path
}

fn mapped(folder: &Folder, change: impl Fn(String) -> String) -> sngan_core::Result<Import> {
    let file = fixtures().join("import/resnet32.safetensors");
    let map = Some(map(change, folder));
    import::read(&Request { file, map, ..Request::default() })
}

#[test]
fn a_state_dict_of_pytorch_computes_what_it_computed_there() {
    let folder = Folder::new();
    let found = mapped(&folder, |text| text).unwrap();
    let Import { exchange, remarks } = found;
    let bytes = std::fs::read(fixtures().join("import/resnet32.safetensors")).unwrap();
    let theirs = tensor_file::decode(&bytes, Types::F32, |name| !name.contains('/')).unwrap();
    let spec = &exchange.spec;
    assert_eq!(spec.conditioning, Conditioning::None);
    assert!(!spec.knows("gen_updates"));
    // What the fixture holds beside the networks.
    assert_eq!(remarks, ["left out of the files: images, outputs, x, z"]);
    let source = TensorSource::given(&exchange.checkpoint.tensors, &Place::new(&Device::Cpu));
    let mut g = Generator::new(spec, &source).unwrap();
    let images = g.forward(&theirs["z"], None, Parameters::Frozen, Mode::Eval).unwrap();
    let far = distance(&images, &theirs["images"]);
    assert!(far < F32_OUTPUT, "{far}");
    let d = Discriminator::new(spec, &source).unwrap();
    let weights = d.clone().weights(Parameters::Frozen, Iterate::Frozen).unwrap();
    let outputs = d.forward(&weights, &theirs["x"], None).unwrap().outputs;
    let far = distance(&outputs, &theirs["outputs"]);
    assert!(far < F32_OUTPUT, "{far}");
    // Another ε is another network.
    let other = mapped(&folder, |t| t.replace("batch_norm_eps = 1e-5", "batch_norm_eps = 1e-3"));
    let tensors = other.unwrap().exchange.checkpoint.tensors;
    let source = TensorSource::given(&tensors, &Place::new(&Device::Cpu));
    let mut g = Generator::new(spec, &source).unwrap();
    let images = g.forward(&theirs["z"], None, Parameters::Frozen, Mode::Eval).unwrap();
    assert!(distance(&images, &theirs["images"]) > 10.0 * F32_OUTPUT);
}

#[test]
fn a_map_that_does_not_fit_says_what_is_missing() {
    let folder = Folder::new();
    let said = |from: &str, to: &str| {
        let changed = |text: String| {
            assert!(text.contains(from), "{text}");
            text.replacen(from, to, 1)
        };
        mapped(&folder, changed).unwrap_err().to_string()
    };
    let missing = said("\"output.bn\" = \"g/output.0\"", "");
    assert!(missing.contains("map.toml: nothing is mapped to `output.bn."), "{missing}");
    let wrong = said("g/output.2", "g/output.3");
    assert!(wrong.contains("resnet32.safetensors: has no tensor `g/output.3.bias`"), "{wrong}");
    let unknown = said("conv = \"g/output.2\"", "conv = \"g/output.2\"\nconv9 = \"g/output.2\"");
    assert!(unknown.contains("`conv9` names nothing in resnet-cifar10"), "{unknown}");
    let key = said("latent = \"normal\"", "latent = \"normal\"\nslope = 0.2");
    assert!(key.contains("unknown field `slope`"), "{key}");
    let shape = said("width_divisor = 16", "width_divisor = 32");
    assert!(shape.contains("; the network needs ["), "{shape}");
    let room = said(
        "width_divisor = 16",
        "width_divisor = 16\nn_classes = 1000000\nconditioning = \"projection\"",
    );
    assert!(room.contains("too small for networks of"), "{room}");
    let kind = said("normalization = \"spectral\"", "normalization = \"weight\"");
    assert!(kind.contains("`normalization`"), "{kind}");
    let pattern = said("block{i}.conv2\" = \"g/", "block{j}.conv2\" = \"g/");
    assert!(pattern.contains("{i}"), "{pattern}");
    // A constant in place of a tensor that a file does not have.
    let found = mapped(&folder, |text| {
        text.replacen(
            "conv = \"g/output.2\"",
            "\"conv.weight\" = \"g/output.2.weight\"\n\"conv.bias\" = 0.0",
            1,
        )
    });
    let bias = &found.unwrap().exchange.checkpoint.tensors["generator.conv.bias"];
    assert_eq!(values(bias), [0.0; 3]);
}
