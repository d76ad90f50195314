//! A sweep's records as tables for other programs: one Parquet and one CSV file for each kind of record. docs/records.md is their schema.

use crate::claims::definitions;
use crate::dead_critic::{Critic, of_run};
use crate::{Error, Result, collect};
use polars::prelude::{Column, CsvWriter, DataFrame, ParquetWriter, SerWriter};
use sngan_experiment::records::{
    LogRecord, ScoreRecord, SpectrumRecord, StatusRecord, TimingRecord,
};
use sngan_experiment::{RunDir, RunSpec, atomic, run_dir};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Writes `runs`, `log`, `sigma`, `timing`, `scores`, `untrained` and `spectrum`, each as `.parquet` and `.csv`, into `folder`; returns the files. A kind
/// without records gets none. Runs of the sweeps in `outs` are told apart by the columns `sweep` and `run`.
///
/// # Errors
/// A folder that is no sweep's, a malformed record, a file that cannot be written.
pub fn export(outs: &[PathBuf], folder: &Path) -> Result<Vec<PathBuf>> {
    let runs = outs.iter().map(|out| runs(out)).collect::<Result<Vec<_>>>()?.concat();
    let tables = [
        ("runs", table_of_runs(&runs)?),
        ("log", rows(&runs, RunDir::log, log)?),
        ("sigma", rows_of_layers(&runs)?),
        ("timing", rows(&runs, RunDir::timing, timing)?),
        ("scores", rows(&runs, RunDir::scores, scores)?),
        ("untrained", untrained(outs)?),
        ("spectrum", spectrum(&runs)?),
    ];
    let mut files = Vec::new();
    for (name, table) in tables {
        if !table.columns.is_empty() {
            files.extend(write(&folder.join(name), table.frame(name)?)?);
        }
    }
    Ok(files)
}

/// One run, by the names that every table repeats.
#[derive(Clone)]
struct Named {
    sweep: String,
    dir: RunDir,
    spec: RunSpec,
    status: Option<StatusRecord>,
    critic: Option<Critic>,
}

impl Named {
    fn name(&self) -> String {
        name_of(self.dir.path())
    }
}

fn runs(out: &Path) -> Result<Vec<Named>> {
    let sweep = name_of(out);
    collect::plan(out)?;
    let (definition, untrained) = (definitions()?.dead_critic, collect::untrained(out)?);
    let dirs = run_dir::run_dirs(&out.join("runs"))?;
    let named = dirs.into_iter().map(|dir| {
        let critic = of_run(&definition, &dir, &untrained)?;
        let (sweep, spec, status) = (sweep.clone(), dir.spec()?, dir.status()?);
        Ok(Named { sweep, spec, status, critic, dir })
    });
    named.collect()
}

fn name_of(folder: &Path) -> String {
    folder.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned())
}

/// The untrained generators' scores, which are no run's.
fn untrained(outs: &[PathBuf]) -> Result<Table> {
    let mut table = Table::default();
    for out in outs {
        for record in collect::untrained(out)? {
            table.at = 0;
            scores(table.text("sweep", name_of(out)), &record);
        }
    }
    Ok(table)
}

/// Columns by name, in the order in which they were first filled.
#[derive(Default)]
struct Table {
    names: Vec<&'static str>,
    columns: Vec<Values>,
    /// Position in a row, while it is filled.
    at: usize,
}

/// A column's values; `None` where a record holds `null`.
enum Values {
    Text(Vec<Option<String>>),
    Whole(Vec<Option<u64>>),
    Real(Vec<Option<f64>>),
}

impl Table {
    /// The next cell of the current row.
    fn column(&mut self, name: &'static str, fresh: fn() -> Values) -> &mut Values {
        if self.at == self.names.len() {
            self.names.push(name);
            self.columns.push(fresh());
        }
        debug_assert_eq!(self.names[self.at], name, "rows of one table have the same columns");
        self.at += 1;
        &mut self.columns[self.at - 1]
    }

    fn text(&mut self, name: &'static str, value: impl Into<Option<String>>) -> &mut Table {
        if let Values::Text(column) = self.column(name, || Values::Text(Vec::new())) {
            column.push(value.into());
        }
        self
    }

    fn whole(&mut self, name: &'static str, value: impl Into<Option<u64>>) -> &mut Table {
        if let Values::Whole(column) = self.column(name, || Values::Whole(Vec::new())) {
            column.push(value.into());
        }
        self
    }

    fn real(&mut self, name: &'static str, value: impl Into<Option<f64>>) -> &mut Table {
        if let Values::Real(column) = self.column(name, || Values::Real(Vec::new())) {
            column.push(value.into());
        }
        self
    }

    /// Begins a row that belongs to `run`.
    fn row(&mut self, run: &Named) -> &mut Table {
        self.at = 0;
        let (sweep, name) = (run.sweep.clone(), run.name());
        self.text("sweep", sweep).text("run", name)
    }

    fn frame(self, what: &str) -> Result<DataFrame> {
        let columns = self.names.iter().zip(self.columns).map(|(name, values)| match values {
            Values::Text(v) => Column::new((*name).into(), v),
            Values::Whole(v) => Column::new((*name).into(), v),
            Values::Real(v) => Column::new((*name).into(), v),
        });
        DataFrame::new_infer_height(columns.collect()).map_err(|e| Error::table(Path::new(what), e))
    }
}

/// A table with a row for each record of a kind.
fn rows<T>(
    runs: &[Named],
    read: fn(&RunDir) -> sngan_experiment::Result<Vec<T>>,
    fill: fn(&mut Table, &T),
) -> Result<Table> {
    let mut table = Table::default();
    for run in runs {
        for record in read(&run.dir)? {
            fill(table.row(run), &record);
        }
    }
    Ok(table)
}

/// Every key of the specs, and how the runs stand.
fn table_of_runs(runs: &[Named]) -> Result<Table> {
    let mut table = Table::default();
    for run in runs {
        let s = &run.spec;
        let status = run.status.as_ref();
        let spec = serde_json::to_string(s).map_err(|e| Error::table(run.dir.path(), e))?;
        let word = |value: serde_json::Value| value.as_str().map(str::to_string);
        let status_word = status.map(|s| serde_json::json!(s.status)).and_then(word);
        table
            .row(run)
            .text("label", s.label.clone())
            .text("method", s.method.name().to_string())
            .text("setting", s.setting.clone())
            .whole("seed", s.seed)
            .text("dataset", s.dataset.name().to_string())
            .text("images", Some(run.dir.provenance()?.dataset).filter(|name| !name.is_empty()))
            .text("architecture", word(serde_json::json!(s.architecture)))
            .real("lr", s.lr)
            .real("beta1", s.beta1)
            .real("beta2", s.beta2)
            .whole("n_dis", u64::from(s.n_dis))
            .whole("planned_gen_updates", s.gen_updates)
            .text("status", status_word)
            .whole("gen_updates", status.map(|s| s.gen_updates))
            .text("reason", status.and_then(|s| s.reason.clone()))
            .real("silent_critic", run.critic.map(|c| c.share()))
            .text("dead_critic", run.critic.map(|c| c.dead.to_string()))
            .text("spec", spec);
    }
    Ok(table)
}

fn log(table: &mut Table, r: &LogRecord) {
    table
        .whole("gen_update", r.gen_update)
        .real("loss_d", r.loss_d)
        .real("loss_reg", r.loss_reg)
        .real("loss_g", r.loss_g)
        .real("d_real", r.d_real)
        .real("d_fake", r.d_fake)
        .real("grad_norm_d", r.grad_norm_d)
        .real("grad_norm_g", r.grad_norm_g)
        .real("grad_norm_x_hat", r.grad_norm_x_hat)
        .real("loss_class_d", r.loss_class_d)
        .real("loss_class_g", r.loss_class_g)
        .real("critic_train", r.critic_train)
        .real("critic_held_out", r.critic_held_out)
        .whole("critic_images", r.images_of_critic());
}

/// The log's singular values: a row for each layer of each logged update.
fn rows_of_layers(runs: &[Named]) -> Result<Table> {
    let mut table = Table::default();
    for run in runs {
        for record in run.dir.log()? {
            let layer =
                |map: &BTreeMap<String, Option<f64>>, name: &str| map.get(name).copied().flatten();
            for name in record.sigma_forward.keys() {
                let (forward, fig9) =
                    (layer(&record.sigma_forward, name), layer(&record.sigma_fig9, name));
                let row = table
                    .row(run)
                    .whole("gen_update", record.gen_update)
                    .text("layer", name.clone());
                row.real("sigma_forward", forward)
                    .real("sigma_fig9", fig9)
                    .real("effective_rank", layer(&record.effective_rank, name))
                    .real("stable_rank", layer(&record.stable_rank, name));
            }
        }
    }
    Ok(table)
}

fn timing(table: &mut Table, r: &TimingRecord) {
    table.whole("gen_update", r.gen_update).real("seconds", r.seconds);
}

fn scores(table: &mut Table, r: &ScoreRecord) {
    let p = &r.protocol;
    let reference = p.reference.as_ref();
    table
        .whole("gen_updates", r.gen_updates)
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

/// A row for each singular value.
fn spectrum(runs: &[Named]) -> Result<Table> {
    let mut table = Table::default();
    for run in runs {
        for SpectrumRecord { gen_updates, layer, weights, squared, .. } in run.dir.spectra()? {
            for (index, value) in squared.into_iter().enumerate() {
                let row = table
                    .row(run)
                    .whole("gen_updates", gen_updates)
                    .text("layer", layer.clone())
                    .text("weights", weights.clone());
                row.whole("index", index as u64).real("squared", value);
            }
        }
    }
    Ok(table)
}

/// Writes a table beside `stem` in both formats.
fn write(stem: &Path, mut frame: DataFrame) -> Result<[PathBuf; 2]> {
    let (parquet, csv) = (stem.with_extension("parquet"), stem.with_extension("csv"));
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes)
        .set_parallel(false)
        .finish(&mut frame)
        .map_err(|e| Error::table(&parquet, e))?;
    atomic::write(&parquet, &bytes)?;
    bytes.clear();
    CsvWriter::new(&mut bytes).finish(&mut frame).map_err(|e| Error::table(&csv, e))?;
    atomic::write(&csv, &bytes)?;
    Ok([parquet, csv])
}
