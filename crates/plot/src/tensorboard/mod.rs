//! A run's records as events for TensorBoard, now and as they grow.

mod event;

use crate::compare::protocol_name;
use crate::records::{RunRecords, Samples};
use crate::{Error, Result};
use event::{Event, Value, What};
use sngan_experiment::records::{LogRecord, ScoreRecord, TimingRecord};
use sngan_experiment::{RunDir, atomic};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// What every event file's name begins and ours end with.
const NAME: (&str, &str) = ("events.out.tfevents.", ".sngan");

/// A run's event file. It begins with all that the records hold by then and grows with them; when they are not a continuation any more, because
/// the run was resumed from an earlier checkpoint, another one takes its place.
pub struct Board {
    folder: PathBuf,
    path: PathBuf,
    file: File,
    written: Written,
}

/// What of the records is in the file.
#[derive(Default)]
struct Written {
    log: Mark<LogRecord>,
    scores: Mark<ScoreRecord>,
    /// Generator updates of the grids of samples.
    samples: BTreeSet<u64>,
}

/// How far a file of records was written: lines are only added to it, unless a run goes back to an earlier checkpoint.
struct Mark<T> {
    n: usize,
    last: Option<T>,
}

impl<T> Default for Mark<T> {
    fn default() -> Mark<T> {
        Mark { n: 0, last: None }
    }
}

impl<T: Clone + PartialEq> Mark<T> {
    /// Whether `all` begins with what was written.
    fn continues_in(&self, all: &[T]) -> bool {
        all.get(..self.n).is_some_and(|first| first.last() == self.last.as_ref())
    }

    /// What `all` holds beyond that, which then is written too.
    fn new_in<'a>(&mut self, all: &'a [T]) -> &'a [T] {
        let new = &all[self.n..];
        *self = Mark { n: all.len(), last: all.last().cloned() };
        new
    }
}

impl Board {
    /// Writes all records of `run` to a new event file in `folder`, and removes those that it wrote there before.
    ///
    /// # Errors
    /// A grid of samples that is no picture, or a file that cannot be written.
    pub fn begin(run: &RunRecords, folder: &Path) -> Result<Board> {
        let before = files_of(folder)?;
        let mut written = Written::default();
        let time = Clock::of(run);
        let spec = toml::to_string(&run.spec).map_err(|e| Error::table(&run.place, e))?;
        let text = Value::Text { tag: "spec".into(), text: format!("```toml\n{spec}```") };
        let mut events = vec![
            Event { time: time.at(0), step: 0, what: What::Version },
            Event { time: time.at(0), step: 0, what: What::Start },
            Event { time: time.at(0), step: 0, what: What::Values(vec![text]) },
        ];
        events.extend(written.add(run)?);
        let bytes: Vec<u8> = events.iter().flat_map(Event::record).collect();
        let path = fresh(folder, &before);
        atomic::write(&path, &bytes)?;
        let mut options = OpenOptions::new();
        let options = atomic::not_through_links(options.append(true));
        let file = options.open(&path).map_err(|e| failed(&path, &e))?;
        for old in before {
            std::fs::remove_file(&old).map_err(|e| failed(&old, &e))?;
        }
        Ok(Board { folder: folder.into(), path, file, written })
    }

    /// The event file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds what `run`'s records hold beyond what was written.
    ///
    /// # Errors
    /// As [`Board::begin`].
    pub fn follow(&mut self, run: &RunRecords) -> Result<()> {
        if !self.written.continues_in(run) {
            *self = Board::begin(run, &self.folder)?;
            return Ok(());
        }
        let events = self.written.add(run)?;
        let bytes: Vec<u8> = events.iter().flat_map(Event::record).collect();
        self.file.write_all(&bytes).map_err(|e| failed(&self.path, &e))
    }
}

fn failed(path: &Path, e: &std::io::Error) -> Error {
    Error::table(path, e)
}

/// The event files in `folder` that a [`Board`] wrote.
fn files_of(folder: &Path) -> Result<Vec<PathBuf>> {
    let list = match std::fs::read_dir(folder) {
        Ok(list) => list,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(failed(folder, &e)),
    };
    let ours = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with(NAME.0) && name.ends_with(NAME.1))
    };
    Ok(list.filter_map(|entry| Some(entry.ok()?.path())).filter(ours).collect())
}

/// A name by the time, as TensorBoard sorts them, that none of `before` has.
fn fresh(folder: &Path, before: &[PathBuf]) -> PathBuf {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut names = (now..).map(|time| folder.join(format!("{}{time:010}{}", NAME.0, NAME.1)));
    names.find(|path| !before.contains(path)).unwrap_or_else(|| folder.join(NAME.0))
}

impl Written {
    /// Whether `run`'s records begin with what was written.
    fn continues_in(&self, run: &RunRecords) -> bool {
        self.log.continues_in(&run.log) && self.scores.continues_in(&run.scores)
    }

    /// The events of what is new, oldest first.
    fn add(&mut self, run: &RunRecords) -> Result<Vec<Event>> {
        let time = Clock::of(run);
        let mut events = Vec::new();
        let mut push = |step, values| {
            events.push(Event { time: time.at(step), step, what: What::Values(values) });
        };
        for record in self.log.new_in(&run.log) {
            push(record.gen_update, scalars(record));
        }
        for score in self.scores.new_in(&run.scores) {
            push(score.gen_updates, scores(score));
        }
        for (step, samples) in grids(run) {
            if self.samples.insert(step) {
                push(step, vec![picture(&samples)?]);
            }
        }
        Ok(events)
    }
}

/// A log's line. A quantity that was not finite, `null` there, is NaN, which TensorBoard marks.
fn scalars(r: &LogRecord) -> Vec<Value> {
    let scalar =
        |tag: String, value: Option<f64>| Value::Scalar { tag, value: value.unwrap_or(f64::NAN) };
    let always = [
        ("loss/D", r.loss_d),
        ("loss/G", r.loss_g),
        ("loss/regularizer", r.loss_reg),
        ("output/D(x)", r.d_real),
        ("output/D(G(z))", r.d_fake),
        ("gradient norm/D", r.grad_norm_d),
        ("gradient norm/G", r.grad_norm_g),
    ];
    let where_there_is_one = [
        ("gradient norm/D at penalty's points", r.grad_norm_x_hat),
        ("loss/D classifier", r.loss_class_d),
        ("loss/G classifier", r.loss_class_g),
        ("critic/training images", r.critic_train),
        ("critic/held-out images", r.critic_held_out),
    ];
    let layers = [
        ("sigma", &r.sigma_forward),
        ("sigma Figure 9", &r.sigma_fig9),
        ("stable rank", &r.stable_rank),
        ("effective rank", &r.effective_rank),
    ];
    let optional = where_there_is_one.into_iter().filter(|(_, value)| value.is_some());
    let plain = always.into_iter().chain(optional).map(|(tag, v)| scalar(tag.into(), v));
    let of_layers = |(name, values): (&str, &BTreeMap<String, Option<f64>>)| -> Vec<Value> {
        values.iter().map(|(layer, v)| scalar(format!("{name}/{layer}"), *v)).collect()
    };
    plain.chain(layers.into_iter().flat_map(of_layers)).collect()
}

/// A score under the name of its protocol, and its spread.
fn scores(score: &ScoreRecord) -> Vec<Value> {
    let tag = format!("score/{}", protocol_name(&score.protocol));
    let spread = score.std.map(|value| Value::Scalar { tag: format!("{tag} std"), value });
    let value = Value::Scalar { tag, value: score.value.unwrap_or(f64::NAN) };
    std::iter::once(value).chain(spread).collect()
}

/// The grids of samples that there are, by their generator updates.
fn grids(run: &RunRecords) -> Vec<(u64, Samples)> {
    let Some(Samples::Png(..)) = run.samples else {
        let dir = RunDir::new(&run.place);
        let folder = dir.sample_path(0).parent().map(Path::to_path_buf).unwrap_or_default();
        let list = std::fs::read_dir(folder).into_iter().flatten();
        let step = |path: &PathBuf| path.file_stem()?.to_str()?.parse::<u64>().ok();
        let paths = list.filter_map(|entry| Some(entry.ok()?.path()));
        let mut found: Vec<(u64, Samples)> = paths
            .filter_map(|path| Some((step(&path)?, path)))
            .filter(|(step, path)| *path == dir.sample_path(*step))
            .map(|(step, path)| (step, Samples::File(path)))
            .collect();
        found.sort_by_key(|(step, _)| *step);
        return found;
    };
    run.samples.iter().map(|samples| (run.spec.gen_updates, samples.clone())).collect()
}

fn picture(samples: &Samples) -> Result<Value> {
    let grid = samples.decode()?;
    let (width, height) = grid.dimensions();
    let mut png = std::io::Cursor::new(Vec::new());
    let path = match samples {
        Samples::File(path) | Samples::Png(_, path) => path,
    };
    grid.write_to(&mut png, image::ImageFormat::Png).map_err(|e| Error::table(path, e))?;
    Ok(Value::Image { tag: "samples".into(), png: png.into_inner(), width, height })
}

/// When updates were made: the last one when `timing.jsonl` was last written, and those before it as much earlier as it says. It counts from the start
/// of each process, so pauses between processes are left out.
struct Clock {
    /// Generator updates and the seconds of training until then.
    at: Vec<(u64, f64)>,
    /// Seconds since 1970 at the last of them.
    end: f64,
}

impl Clock {
    fn of(run: &RunRecords) -> Clock {
        let file = std::fs::metadata(RunDir::new(&run.place).timing_path());
        let end = file.and_then(|f| f.modified()).unwrap_or_else(|_| SystemTime::now());
        let end = end.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let (mut before, mut last, mut at) = (0.0, 0.0, Vec::new());
        for &TimingRecord { gen_update, seconds, .. } in &run.timing {
            if seconds < last {
                before += last;
            }
            last = seconds;
            at.push((gen_update, before + seconds));
        }
        Clock { at, end }
    }

    /// Seconds since 1970 when `gen_update` was done.
    fn at(&self, gen_update: u64) -> f64 {
        let total = self.at.last().map_or(0.0, |(_, seconds)| *seconds);
        let after = self.at.partition_point(|(update, _)| *update < gen_update);
        let seconds = match self.at.get(after) {
            Some((update, seconds)) if *update == gen_update => *seconds,
            _ => after.checked_sub(1).map_or(0.0, |before| self.at[before].1),
        };
        self.end - total + seconds
    }
}
