//! Bytes of one input: plain files are read directly, all else on a thread of its own that runs ahead.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::os::fd::AsFd;
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::discover::Place;

/// Bytes that the thread hands over at once.
const BLOCK_BYTES: usize = 256 << 10;
/// Blocks that the thread may be ahead. More: it waits.
const BLOCKS_AHEAD: usize = 8;

/// What a file's first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    None,
    Gzip,
    Zstandard,
}

/// Bytes that are enough to tell the packing.
const MAGIC_BYTES: usize = 4;

impl Packing {
    fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstandard,
            // A skippable frame, as some tools put first.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstandard,
            _ => Self::None,
        }
    }

    fn unpack<'a>(self, packed: impl Read + Send + 'a) -> io::Result<Box<dyn Read + Send + 'a>> {
        let packed = BufReader::with_capacity(BLOCK_BYTES, packed);
        Ok(match self {
            Self::None => Box::new(packed),
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
            Self::Zstandard => Box::new(zstd::stream::read::Decoder::with_buffer(packed)?),
        })
    }
}

/// What was added to a buffer.
#[derive(Debug)]
pub(super) enum Filled {
    /// Some bytes; there may be more.
    Some,
    /// None yet.
    Waiting,
    /// All that there is.
    End,
    /// All that could be read; what stopped it.
    Fault(String),
}

/// An open input.
#[derive(Debug)]
pub(super) enum Input {
    /// A plain file and how many bytes it is believed to have left.
    Plain(File, u64),
    /// Blocks from a thread. `prompt`: what there is is handed on without waiting for more.
    Blocks {
        /// Blocks in order, then `None`.
        receiver: Receiver<io::Result<Option<Vec<u8>>>>,
        /// The other side may be slow, as a person or a pipe is.
        prompt: bool,
    },
}

impl Input {
    pub(super) fn open(place: &Place) -> io::Result<Self> {
        match place {
            Place::Standard => {
                let file = File::from(io::stdin().as_fd().try_clone_to_owned()?);
                Self::pipe(move || Ok(file))
            }
            Place::Pipe(path) => {
                // Opening a pipe waits for its writer.
                let path = path.clone();
                Self::pipe(move || File::open(path))
            }
            Place::File(path) => {
                let (file, packing) = open_file(path)?;
                match packing {
                    Packing::None => {
                        let length = file.metadata()?.len();
                        Ok(Self::Plain(file, length))
                    }
                    _ => Self::spawn(false, move |sender| pump(packing.unpack(file)?, false, sender)),
                }
            }
        }
    }

    fn pipe(open: impl FnOnce() -> io::Result<File> + Send + 'static) -> io::Result<Self> {
        Self::spawn(true, move |sender| {
            let mut file = open()?;
            let head = read_head(&mut file)?;
            let packing = Packing::of(&head);
            let whole = io::Cursor::new(head).chain(file);
            if packing == Packing::None {
                pump(whole, true, sender)
            } else {
                pump(packing.unpack(whole)?, true, sender)
            }
        })
    }

    fn spawn(prompt: bool, work: impl FnOnce(&Blocks) -> io::Result<()> + Send + 'static) -> io::Result<Self> {
        let (sender, receiver) = bounded(BLOCKS_AHEAD);
        std::thread::Builder::new().name("watchfire-read".into()).spawn(move || {
            let last = work(&sender).map(|()| None);
            // Nobody listens any more: nothing to tell.
            let _ = sender.send(last);
        })?;
        Ok(Self::Blocks { receiver, prompt })
    }

    /// Appends to `buffer` until it holds about `target` bytes.
    pub(super) fn fill(&mut self, buffer: &mut Vec<u8>, target: usize, wait: Duration) -> Filled {
        match self {
            Self::Plain(file, left) => fill_plain(file, left, buffer, target),
            Self::Blocks { receiver, prompt } => fill_blocks(receiver, *prompt, buffer, target, wait),
        }
    }
}

fn fill_plain(file: &mut File, left: &mut u64, buffer: &mut Vec<u8>, target: usize) -> Filled {
    let wanted = target.saturating_sub(buffer.len()).max(BLOCK_BYTES);
    // One byte more than is left, so that the end is seen without another allocation.
    buffer.reserve(wanted.min(usize::try_from(*left).unwrap_or(usize::MAX).saturating_add(1)));
    match file.take(wanted as u64).read_to_end(buffer) {
        Ok(read) if read < wanted => Filled::End,
        Ok(read) => {
            *left = left.saturating_sub(read as u64);
            Filled::Some
        }
        Err(error) => Filled::Fault(error.to_string()),
    }
}

type Blocks = Sender<io::Result<Option<Vec<u8>>>>;

fn fill_blocks(
    receiver: &Receiver<io::Result<Option<Vec<u8>>>>,
    prompt: bool,
    buffer: &mut Vec<u8>,
    target: usize,
    wait: Duration,
) -> Filled {
    let mut filled = Filled::Waiting;
    while buffer.len() < target || matches!(filled, Filled::Waiting) {
        let wait = if prompt && matches!(filled, Filled::Some) { Duration::ZERO } else { wait };
        match receiver.recv_timeout(wait) {
            Ok(Ok(Some(block))) => {
                buffer.extend_from_slice(&block);
                filled = Filled::Some;
            }
            Ok(Ok(None)) => return Filled::End,
            Ok(Err(error)) => return Filled::Fault(error.to_string()),
            Err(RecvTimeoutError::Timeout) => return filled,
            Err(RecvTimeoutError::Disconnected) => return Filled::Fault("its reading thread ended too early".into()),
        }
    }
    filled
}

/// Sends blocks until the end; `prompt` sends what there is without waiting for a full block.
fn pump(mut reader: impl Read, prompt: bool, sender: &Blocks) -> io::Result<()> {
    loop {
        let mut block = vec![0; BLOCK_BYTES];
        let mut length = 0;
        let outcome = loop {
            match reader.read(&mut block[length..]) {
                Ok(0) => break Some(Ok(())),
                Ok(read) => length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Some(Err(error)),
            }
            if prompt || length == block.len() {
                break None;
            }
        };
        block.truncate(length);
        if length > 0 && sender.send(Ok(Some(block))).is_err() {
            return Ok(());
        }
        if let Some(outcome) = outcome {
            return outcome;
        }
    }
}

fn read_head(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(MAGIC_BYTES);
    reader.take(MAGIC_BYTES as u64).read_to_end(&mut head)?;
    Ok(head)
}

fn open_file(path: &std::path::Path) -> io::Result<(File, Packing)> {
    let mut file = File::open(path)?;
    let packing = Packing::of(&read_head(&mut file)?);
    file.rewind()?;
    Ok((file, packing))
}

/// The bytes of a regular file, unpacked, without a thread.
pub(super) fn open_directly(path: &std::path::Path) -> io::Result<Box<dyn Read + Send>> {
    let (file, packing) = open_file(path)?;
    packing.unpack(file)
}
