//! Files, folders, globs and standard input as bounded partitions.

mod discover;
mod input;
mod peek;
mod reader;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use watchfire_record::{Partition, RawBatch};

use crate::error::SourceError;
use crate::event::{Assignment, Event, Source};
use discover::Place;
use input::Input;
use reader::{Reader, Step};

/// One file that is to be read.
#[derive(Debug)]
struct Pending {
    place: Place,
    partition: Arc<Partition>,
}

/// Reads files one after the other. Each is a partition, its positions are bytes after decompression.
#[derive(Debug)]
pub struct FileSource {
    stream: usize,
    timestamp: i64,
    pending: VecDeque<Pending>,
    /// The next file, opened while the one before it is read, so that its decompression runs ahead.
    ahead: Option<std::io::Result<Input>>,
    reader: Option<Reader>,
    events: VecDeque<Event>,
    assigned: bool,
    paused: bool,
}

impl FileSource {
    /// Finds the files: each of `inputs` is a file, a folder (all regular files below it but hidden ones), a glob, or
    /// `-` for standard input. All are of `stream`; `timestamp` (microseconds since the epoch) stands for the time at
    /// which their records were received. Files are read in the order of their names unless [`FileSource::order`] says
    /// otherwise.
    ///
    /// # Errors
    /// If an input is not there or holds no file.
    pub fn open(inputs: &[PathBuf], stream: usize, timestamp: i64) -> Result<Self, SourceError> {
        let pending = discover::discover(inputs)?
            .into_iter()
            .map(|found| Pending {
                place: found.place,
                partition: Arc::new(Partition { topic: found.name.into(), number: 0 }),
            })
            .collect();
        Ok(Self {
            stream,
            timestamp,
            pending,
            ahead: None,
            reader: None,
            events: VecDeque::new(),
            assigned: false,
            paused: false,
        })
    }

    /// The first payload of each file, so that its time can be told; nothing of files that have none, cannot be read,
    /// or cannot be read twice (standard input, pipes). To be called before the first poll.
    ///
    /// # Errors
    /// None today; a file that cannot be read is told of when its turn comes.
    pub fn peek(&mut self) -> Result<Vec<(Arc<Partition>, RawBatch)>, SourceError> {
        let (stream, timestamp) = (self.stream, self.timestamp);
        let first = |file: &Pending| {
            let batch = peek::first_payload(&file.place, &file.partition, stream, timestamp)?;
            Some((Arc::clone(&file.partition), batch))
        };
        Ok(self.pending.iter().filter_map(first).collect())
    }

    /// Sets the order in which files are read: by time, ties by name, files without a time last.
    pub fn order(&mut self, times: &HashMap<Arc<Partition>, i64>) {
        let time = |file: &Pending| times.get(&file.partition).copied().unwrap_or(i64::MAX);
        let pending = self.pending.make_contiguous();
        pending.sort_by(|a, b| time(a).cmp(&time(b)).then_with(|| a.partition.cmp(&b.partition)));
    }

    fn all_assigned(&self) -> Event {
        let assignment = |file: &Pending| Assignment { partition: Arc::clone(&file.partition), stream: self.stream };
        Event::Assigned(self.pending.iter().map(assignment).collect())
    }

    /// Opens the next file; false if there is none.
    fn advance(&mut self) -> bool {
        let Some(file) = self.pending.pop_front() else { return false };
        let input = self.ahead.take().unwrap_or_else(|| Input::open(&file.place));
        self.reader = Some(Reader::new(file.partition, input, self.stream, self.timestamp));
        self.ahead = self.pending.front().filter(|next| next.place.is_regular()).map(|next| Input::open(&next.place));
        true
    }
}

impl Source for FileSource {
    fn poll(&mut self, wait: Duration) -> Result<Event, SourceError> {
        if let Some(event) = self.events.pop_front() {
            return Ok(event);
        }
        if !self.assigned {
            self.assigned = true;
            return Ok(self.all_assigned());
        }
        if self.paused {
            std::thread::sleep(wait);
            return Ok(Event::Nothing);
        }
        if self.reader.is_none() && !self.advance() {
            return Ok(Event::Finished);
        }
        let Some(reader) = &mut self.reader else { return Ok(Event::Nothing) };
        Ok(match reader.step(wait) {
            Step::Batch(batch) => Event::Batch(batch),
            Step::Waiting => Event::Nothing,
            Step::Fault(batch, text) => {
                self.events.push_back(Event::Batch(batch));
                Event::Notice(text)
            }
            Step::End => {
                let partition = Arc::clone(reader.partition());
                self.reader = None;
                Event::Ended(partition)
            }
        })
    }

    fn commit(&mut self, _done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError> {
        Ok(())
    }

    fn release(&mut self, _done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError> {
        Ok(())
    }

    fn close(&mut self, _done: &[(Arc<Partition>, i64)]) -> Result<(), SourceError> {
        Ok(())
    }

    fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
    }
}
