//! Each kind of record as a table, and back. Each kind's writer and reader are next to each other.

use super::columns::{Frame, Table};
use super::{RunRecords, SweepRecords};
use crate::claims::definitions;
use crate::dead_critic::of_run;
use crate::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sngan_experiment::records::{
    FORMAT_VERSION, LogRecord, Metric, Protocol, Provenance, Record, Reference, ScoreRecord,
    SpectrumRecord, StatusRecord, TimingRecord,
};
use std::collections::{BTreeMap, BTreeSet};

/// Runs that are being read, by name.
pub(super) type Runs = BTreeMap<String, RunRecords>;

/// Adds what a table holds to a sweep or its runs.
type Reader = fn(&Frame, &mut SweepRecords, &mut Runs) -> Result<()>;

/// The tables by name. `runs` comes first, because the rows of the others belong to its rows.
pub(super) const READERS: &[(&str, Reader)] = &[
    ("runs", read_runs),
    ("log", read_log),
    ("layers", read_layers),
    ("timing", read_timing),
    ("scores", read_scores),
    ("spectra", read_spectra),
];

/// Every table of a sweep, by the name of [`READERS`].
pub(super) fn of(sweep: &SweepRecords, name: &str) -> Result<Vec<(&'static str, Table)>> {
    Ok(vec![
        ("runs", runs(sweep, name)?),
        ("log", log(sweep, name)),
        ("layers", layers(sweep, name)),
        ("timing", timing(sweep, name)),
        ("scores", scores(sweep, name)),
        ("spectra", spectra(sweep, name)),
    ])
}

/// The run that a row belongs to.
pub(super) fn run<'a>(runs: &'a mut Runs, frame: &Frame, name: &str) -> Result<&'a mut RunRecords> {
    runs.get_mut(name)
        .ok_or_else(|| frame.error(format!("its run `{name}` is not in runs.parquet")))
}

/// A value as JSON names it: `completed`, `standard-cnn`.
fn word(value: &impl Serialize) -> Option<String> {
    serde_json::to_value(value).ok()?.as_str().map(str::to_string)
}

/// A value as one text.
fn json(value: &impl Serialize, run: &RunRecords) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Error::table(&run.place, e))
}

/// The value with such a name.
fn from_word<T: DeserializeOwned>(frame: &Frame, text: &str) -> Result<T> {
    serde_json::from_value(text.into()).map_err(|e| frame.error(e))
}

/// The runs' status, the spec keys that tables show, and the whole spec and provenance.
fn runs(sweep: &SweepRecords, name: &str) -> Result<Table> {
    let definition = definitions()?.dead_critic;
    let mut table = Table::default();
    for run in &sweep.runs {
        let s = &run.spec;
        let status = run.status.as_ref();
        let provenance = run.provenance.as_ref();
        let critic = of_run(&definition, run, &sweep.untrained);
        table
            .row(name)
            .text("run", run.name.clone())
            .text("label", s.label.clone())
            .text("method", s.method.name().to_string())
            .text("setting", s.setting.clone())
            .whole("seed", s.seed)
            .text("dataset", s.dataset.name().to_string())
            .text("images", provenance.map(|p| p.dataset.clone()).filter(|name| !name.is_empty()))
            .text("architecture", word(&s.architecture))
            .real("lr", s.lr)
            .real("beta1", s.beta1)
            .real("beta2", s.beta2)
            .whole("n_dis", u64::from(s.n_dis))
            .whole("planned_gen_updates", s.gen_updates)
            .text("status", status.and_then(|s| word(&s.status)))
            .whole("gen_updates", status.map(|s| s.gen_updates))
            .text("reason", status.and_then(|s| s.reason.clone()))
            .real("silent_critic", critic.map(|c| c.share()))
            .text("dead_critic", critic.and_then(|c| c.dead).map(|dead| dead.to_string()))
            .text("spec", json(s, run)?)
            .text("provenance", provenance.map(|p| json(p, run)).transpose()?);
    }
    Ok(table)
}

fn read_runs(frame: &Frame, _: &mut SweepRecords, runs: &mut Runs) -> Result<()> {
    let (specs, provenances) = (frame.names("spec")?, frame.text("provenance")?);
    let statuses = frame.text("status")?;
    let (updates, reasons) = (frame.whole("gen_updates")?, frame.text("reason")?);
    for (i, name) in frame.names("run")?.into_iter().enumerate() {
        let of_run = |e: &dyn std::fmt::Display| frame.error(format!("run `{name}`: {e}"));
        let spec: sngan_experiment::RunSpec =
            serde_json::from_str(&specs[i]).map_err(|e| of_run(&e))?;
        spec.validate()?;
        let provenance = match &provenances[i] {
            None => None,
            Some(text) => {
                let value = serde_json::from_str(text).map_err(|e| of_run(&e))?;
                Provenance::read(value).map_err(|e| of_run(&e))?.pop()
            }
        };
        let status = match &statuses[i] {
            None => None,
            Some(word) => Some(StatusRecord {
                version: FORMAT_VERSION,
                status: from_word(frame, word)?,
                gen_updates: updates[i].unwrap_or(0),
                reason: reasons[i].clone(),
                run_id: None,
                records: BTreeMap::new(),
            }),
        };
        let place = frame.path().with_file_name(&name);
        let records = RunRecords {
            name: name.clone(),
            place,
            spec,
            provenance,
            status,
            log: Vec::new(),
            timing: Vec::new(),
            scores: Vec::new(),
            spectra: Vec::new(),
            samples: None,
        };
        if runs.insert(name.clone(), records).is_some() {
            return Err(of_run(&"stands there twice"));
        }
    }
    Ok(())
}

/// A number that a log record may hold, by its name.
type Cell = (&'static str, fn(&LogRecord) -> Option<f64>, fn(&mut LogRecord, Option<f64>));

/// The numbers of a log record, in the order of the columns.
const CELLS: &[Cell] = &[
    ("loss_d", |r| r.loss_d, |r, v| r.loss_d = v),
    ("loss_reg", |r| r.loss_reg, |r, v| r.loss_reg = v),
    ("loss_g", |r| r.loss_g, |r, v| r.loss_g = v),
    ("d_real", |r| r.d_real, |r, v| r.d_real = v),
    ("d_fake", |r| r.d_fake, |r, v| r.d_fake = v),
    ("grad_norm_d", |r| r.grad_norm_d, |r, v| r.grad_norm_d = v),
    ("grad_norm_g", |r| r.grad_norm_g, |r, v| r.grad_norm_g = v),
    ("grad_norm_x_hat", |r| r.grad_norm_x_hat, |r, v| r.grad_norm_x_hat = v),
    ("loss_class_d", |r| r.loss_class_d, |r, v| r.loss_class_d = v),
    ("loss_class_g", |r| r.loss_class_g, |r, v| r.loss_class_g = v),
    ("critic_train", |r| r.critic_train, |r, v| r.critic_train = v),
    ("critic_held_out", |r| r.critic_held_out, |r, v| r.critic_held_out = v),
];

fn log(sweep: &SweepRecords, name: &str) -> Table {
    let mut table = Table::default();
    for run in &sweep.runs {
        for r in &run.log {
            let row = table.row(name).text("run", run.name.clone());
            row.whole("gen_update", r.gen_update);
            for (name, value, _) in CELLS {
                row.real(name, value(r));
            }
            row.whole("critic_images", r.images_of_critic());
        }
    }
    table
}

fn read_log(frame: &Frame, _: &mut SweepRecords, runs: &mut Runs) -> Result<()> {
    let (names, updates) = (frame.names("run")?, frame.counts("gen_update")?);
    let images = frame.whole("critic_images")?;
    let columns = CELLS.iter().map(|(name, _, _)| frame.real(name)).collect::<Result<Vec<_>>>()?;
    for (i, name) in names.iter().enumerate() {
        let mut record = LogRecord::empty(updates[i]);
        for ((_, _, set), column) in CELLS.iter().zip(&columns) {
            set(&mut record, column[i]);
        }
        record.critic_images = images[i];
        run(runs, frame, name)?.log.push(record);
    }
    Ok(())
}

type ByLayer = BTreeMap<String, Option<f64>>;
/// A number that a log record holds of each layer, by its name.
type LayerCell = (&'static str, fn(&LogRecord) -> &ByLayer, fn(&mut LogRecord) -> &mut ByLayer);

const LAYER_CELLS: &[LayerCell] = &[
    ("sigma_forward", |r| &r.sigma_forward, |r| &mut r.sigma_forward),
    ("sigma_fig9", |r| &r.sigma_fig9, |r| &mut r.sigma_fig9),
    ("effective_rank", |r| &r.effective_rank, |r| &mut r.effective_rank),
    ("stable_rank", |r| &r.stable_rank, |r| &mut r.stable_rank),
];

/// The log's numbers of D's layers, a row for each layer of each logged update: null if not
/// recorded, NaN if not finite.
fn layers(sweep: &SweepRecords, name: &str) -> Table {
    let mut table = Table::default();
    for run in &sweep.runs {
        for r in &run.log {
            let names: BTreeSet<&String> =
                LAYER_CELLS.iter().flat_map(|(_, map, _)| map(r).keys()).collect();
            for layer in names {
                let row = table.row(name).text("run", run.name.clone());
                row.whole("gen_update", r.gen_update).text("layer", layer.clone());
                for (name, map, _) in LAYER_CELLS {
                    row.real(name, map(r).get(layer).map(|value| value.unwrap_or(f64::NAN)));
                }
            }
        }
    }
    table
}

fn read_layers(frame: &Frame, _: &mut SweepRecords, runs: &mut Runs) -> Result<()> {
    let (names, updates) = (frame.names("run")?, frame.counts("gen_update")?);
    let layers = frame.names("layer")?;
    let columns =
        LAYER_CELLS.iter().map(|(name, _, _)| frame.real(name)).collect::<Result<Vec<_>>>()?;
    for (i, name) in names.iter().enumerate() {
        let log = &mut run(runs, frame, name)?.log;
        // Rows are sorted by update, like the log.
        let at = log.partition_point(|r| r.gen_update < updates[i]);
        let record = log.get_mut(at).filter(|r| r.gen_update == updates[i]).ok_or_else(|| {
            frame.error(format!("run `{name}`: update {} is not in log.parquet", updates[i]))
        })?;
        for ((_, _, map), column) in LAYER_CELLS.iter().zip(&columns) {
            if let Some(value) = column[i] {
                let value = Some(value).filter(|v| !v.is_nan());
                map(record).insert(layers[i].clone(), value);
            }
        }
    }
    Ok(())
}

fn timing(sweep: &SweepRecords, name: &str) -> Table {
    let mut table = Table::default();
    for run in &sweep.runs {
        for r in &run.timing {
            let row = table.row(name).text("run", run.name.clone());
            row.whole("gen_update", r.gen_update).real("seconds", r.seconds);
        }
    }
    table
}

fn read_timing(frame: &Frame, _: &mut SweepRecords, runs: &mut Runs) -> Result<()> {
    let (updates, seconds) = (frame.counts("gen_update")?, frame.real("seconds")?);
    for (i, name) in frame.names("run")?.iter().enumerate() {
        let seconds = seconds[i].ok_or_else(|| frame.error("a row has no `seconds`"))?;
        let record =
            TimingRecord { version: TimingRecord::VERSION, gen_update: updates[i], seconds };
        run(runs, frame, name)?.timing.push(record);
    }
    Ok(())
}

/// Whose scores: a run's, those of real data, or the untrained generator's.
const OF: [&str; 3] = ["run", "real", "untrained"];

fn scores(sweep: &SweepRecords, name: &str) -> Table {
    let [of_run, real, untrained] = OF;
    let mut table = Table::default();
    let no_runs = [(real, &sweep.real), (untrained, &sweep.untrained)];
    for (of, r) in no_runs.into_iter().flat_map(|(of, all)| all.iter().map(move |r| (of, r))) {
        score(table.row(name).text("run", None).text("of", of.to_string()), r);
    }
    for run in &sweep.runs {
        for r in &run.scores {
            score(table.row(name).text("run", run.name.clone()).text("of", of_run.to_string()), r);
        }
    }
    table
}

fn score(row: &mut Table, r: &ScoreRecord) {
    let p = &r.protocol;
    let reference = p.reference.as_ref();
    row.whole("gen_updates", r.gen_updates)
        .text("metric", r.metric.name().to_string())
        .real("value", r.value)
        .real("std", r.std)
        .text("protocol", p.name.clone())
        .text("backbone", p.backbone.clone())
        .text("backbone_sha256", p.backbone_sha256.clone())
        .whole("n_samples", p.n_samples as u64)
        .whole("n_splits", p.n_splits as u64)
        .text("reference", reference.map(|r| r.name.clone()))
        .whole("n_reference", reference.map(|r| r.n as u64))
        .text("reference_sha256", reference.map(|r| r.sha256.clone()))
        .text("resize", p.resize.clone())
        .text("bytes", p.bytes.clone())
        .text("stamps", p.stamps.join(" "));
}

fn read_scores(frame: &Frame, sweep: &mut SweepRecords, runs: &mut Runs) -> Result<()> {
    let [of_run, real, _] = OF;
    let (of, names) = (frame.names("of")?, frame.text("run")?);
    let (updates, metrics) = (frame.counts("gen_updates")?, frame.names("metric")?);
    let (values, stds) = (frame.real("value")?, frame.real("std")?);
    let [protocol, backbone, backbone_sha256, resize, bytes, stamps] =
        ["protocol", "backbone", "backbone_sha256", "resize", "bytes", "stamps"]
            .map(|name| frame.names(name));
    let (protocol, backbone, backbone_sha256) = (protocol?, backbone?, backbone_sha256?);
    let (resize, bytes, stamps) = (resize?, bytes?, stamps?);
    let (n_samples, n_splits) = (frame.counts("n_samples")?, frame.counts("n_splits")?);
    let (references, n_reference) = (frame.text("reference")?, frame.whole("n_reference")?);
    let reference_sha256 = frame.text("reference_sha256")?;
    for i in 0..frame.height() {
        let reference = references[i].clone().zip(n_reference[i]).zip(reference_sha256[i].clone());
        let record = ScoreRecord {
            version: ScoreRecord::VERSION,
            gen_updates: updates[i],
            metric: from_word::<Metric>(frame, &metrics[i])?,
            value: values[i],
            std: stds[i],
            protocol: Protocol {
                name: protocol[i].clone(),
                backbone: backbone[i].clone(),
                backbone_sha256: backbone_sha256[i].clone(),
                n_samples: n_samples[i] as usize,
                n_splits: n_splits[i] as usize,
                reference: reference.map(|((name, n), sha256)| Reference {
                    name,
                    n: n as usize,
                    sha256,
                }),
                resize: resize[i].clone(),
                bytes: bytes[i].clone(),
                stamps: stamps[i].split_whitespace().map(str::to_string).collect(),
            },
        };
        match &names[i] {
            Some(name) if of[i] == of_run => run(runs, frame, name)?.scores.push(record),
            None if of[i] == real => sweep.real.push(record),
            None if of[i] != of_run => sweep.untrained.push(record),
            _ => return Err(frame.error("a row's `of` does not fit its `run`")),
        }
    }
    Ok(())
}

/// A row for each singular value.
fn spectra(sweep: &SweepRecords, name: &str) -> Table {
    let mut table = Table::default();
    for run in &sweep.runs {
        for s in &run.spectra {
            for (index, squared) in s.squared.iter().enumerate() {
                let row = table.row(name).text("run", run.name.clone());
                row.whole("gen_updates", s.gen_updates)
                    .text("layer", s.layer.clone())
                    .text("weights", s.weights.clone())
                    .whole("index", index as u64)
                    .real("squared", *squared);
            }
        }
    }
    table
}

fn read_spectra(frame: &Frame, _: &mut SweepRecords, runs: &mut Runs) -> Result<()> {
    let (names, updates) = (frame.names("run")?, frame.counts("gen_updates")?);
    let (layers, weights) = (frame.names("layer")?, frame.names("weights")?);
    let (indices, values) = (frame.counts("index")?, frame.real("squared")?);
    for i in 0..frame.height() {
        let value = values[i].ok_or_else(|| frame.error("a row has no `squared`"))?;
        let spectra = &mut run(runs, frame, &names[i])?.spectra;
        if indices[i] == 0 {
            spectra.push(SpectrumRecord {
                version: SpectrumRecord::VERSION,
                gen_updates: updates[i],
                layer: layers[i].clone(),
                weights: weights[i].clone(),
                squared: Vec::new(),
            });
        }
        match spectra.last_mut() {
            Some(last) if last.squared.len() as u64 == indices[i] => last.squared.push(value),
            _ => return Err(frame.error(format!("run `{}`: a spectrum has a gap", names[i]))),
        }
    }
    Ok(())
}
