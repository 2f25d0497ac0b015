//! Records in files, one a line.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{Output, OutputError};
use crate::settings::StreamKind;
use crate::simulation::Record;
use crate::truth::Truth;

/// Bytes that are gathered before they are written.
const BUFFER_BYTES: usize = 256 << 10;
const GZIP_LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 3;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As it is.
    Plain,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl Format {
    /// By the file name's extension: `.gz`, `.zst`, or any other for plain.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Self::Gzip,
            Some("zst") => Self::Zstd,
            _ => Self::Plain,
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Plain => "jsonl",
            Self::Gzip => "jsonl.gz",
            Self::Zstd => "jsonl.zst",
        }
    }
}

type Sink = Box<dyn Write + Send>;

enum Writer {
    Plain(BufWriter<Sink>),
    Gzip(GzEncoder<BufWriter<Sink>>),
    Zstd(zstd::Encoder<'static, BufWriter<Sink>>),
    Finished,
}

/// All records in one file, or on standard output.
pub struct FileOutput {
    path: PathBuf,
    writer: Writer,
}

impl FileOutput {
    /// A new file, compressed by its extension; one that is there is overwritten.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn create(path: &Path) -> Result<Self, OutputError> {
        let file = File::create(path).map_err(OutputError::file(path))?;
        let sink = BufWriter::with_capacity(BUFFER_BYTES, Box::new(file) as Sink);
        let writer = match Format::of(path) {
            Format::Plain => Writer::Plain(sink),
            Format::Gzip => Writer::Gzip(GzEncoder::new(sink, Compression::new(GZIP_LEVEL))),
            Format::Zstd => Writer::Zstd(zstd::Encoder::new(sink, ZSTD_LEVEL).map_err(OutputError::file(path))?),
        };
        Ok(Self { path: path.into(), writer })
    }

    /// Standard output, as it is.
    #[must_use]
    pub fn stdout() -> Self {
        let sink = Box::new(io::stdout()) as Sink;
        Self { path: "-".into(), writer: Writer::Plain(BufWriter::with_capacity(BUFFER_BYTES, sink)) }
    }

    /// Hands on what was gathered, so that a reader sees it now. Compressed files show it at the end only.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn flush(&mut self) -> Result<(), OutputError> {
        match &mut self.writer {
            Writer::Plain(writer) => writer.flush().map_err(OutputError::file(&self.path)),
            _ => Ok(()),
        }
    }
}

impl Output for FileOutput {
    fn write(&mut self, record: &Record) -> Result<(), OutputError> {
        let writer: &mut dyn Write = match &mut self.writer {
            Writer::Plain(writer) => writer,
            Writer::Gzip(writer) => writer,
            Writer::Zstd(writer) => writer,
            Writer::Finished => return Ok(()),
        };
        let line = writer.write_all(record.json.as_bytes()).and_then(|()| writer.write_all(b"\n"));
        line.map_err(OutputError::file(&self.path))
    }

    fn finish(&mut self) -> Result<(), OutputError> {
        let finished = match std::mem::replace(&mut self.writer, Writer::Finished) {
            Writer::Plain(mut writer) => writer.flush(),
            Writer::Gzip(writer) => writer.finish().and_then(|mut sink| sink.flush()),
            Writer::Zstd(writer) => writer.finish().and_then(|mut sink| sink.flush()),
            Writer::Finished => Ok(()),
        };
        finished.map_err(OutputError::file(&self.path))
    }
}

/// A folder with one file for each stream: `cloudtrail.jsonl` and so on.
pub struct FolderOutput {
    files: Vec<(StreamKind, FileOutput)>,
}

impl FolderOutput {
    /// Files for these streams in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// If the folder or a file cannot be created.
    pub fn create(folder: &Path, streams: &[StreamKind], format: Format) -> Result<Self, OutputError> {
        fs::create_dir_all(folder).map_err(OutputError::file(folder))?;
        let file = |stream: &StreamKind| {
            let path = folder.join(format!("{}.{}", stream.name(), format.extension()));
            FileOutput::create(&path).map(|file| (*stream, file))
        };
        Ok(Self { files: streams.iter().map(file).collect::<Result<_, _>>()? })
    }
}

impl Output for FolderOutput {
    fn write(&mut self, record: &Record) -> Result<(), OutputError> {
        match self.files.iter_mut().find(|(stream, _)| *stream == record.stream) {
            Some((_, file)) => file.write(record),
            None => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<(), OutputError> {
        self.files.iter_mut().try_for_each(|(_, file)| file.finish())
    }
}

/// Writes the truth as JSON lines, one an attack; a file that is there is overwritten.
///
/// # Errors
/// If the file cannot be written.
pub fn write_truth(path: &Path, truth: &[Truth]) -> Result<(), OutputError> {
    let mut text = String::new();
    for attack in truth {
        text.push_str(&serde_json::to_string(attack).map_err(io::Error::from).map_err(OutputError::file(path))?);
        text.push('\n');
    }
    fs::write(path, text).map_err(OutputError::file(path))
}
