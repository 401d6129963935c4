//! The command line: the only code that prints and reads files, arguments, clock and environment.
//!
//! One file per command, with its options (their doc comments are `--help`) and a `run` that reads
//! the files, calls the library and prints a subject of `report`. A result goes to stdout,
//! everything else to stderr (`tell`); the kind of an error is the exit code
//! ([`flopcast_core::diagnostic::Kind`]).

mod actuals;
mod architecture;
mod ask;
mod backtest;
mod browser;
mod calibrate;
mod capacity;
mod catalog;
mod check;
mod compare;
mod completions;
mod estimate;
mod explain;
mod hub;
mod import;
mod init;
mod input;
mod load;
mod lock;
#[cfg(feature = "serve")]
mod mcp;
mod model;
mod optimize;
mod output;
mod portfolio;
mod progress;
mod project;
mod refresh;
mod report;
mod schema;
mod search;
#[cfg(feature = "serve")]
mod serve;
mod shapes;
mod sweep;
mod table;
mod validate;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::OnceLock;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use flopcast_core::diagnostic::{Error, Kind, Result};
use flopcast_report::doc::Subject;
use flopcast_report::render::{Carries, FORMS, Format, Setting};
use flopcast_report::text::{cut, visible_lines, wrap};
use terminal_size::{Width, terminal_size, terminal_size_of};

/// Forecast what an AI model takes before anyone rents a GPU: FLOPs, device-hours, dollars,
/// energy, carbon and water of training and serving.
#[derive(Debug, Parser)]
#[command(name = "flopcast", version, max_term_width = 100)]
#[command(after_help = "Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 a \
    limit, a budget or the memory is broken, 2 the input is wrong, 3 a live source failed.")]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EVERYWHERE: &str = "Options of every command";

/// Options of every command.
#[derive(Args, Clone, Debug)]
struct Global {
    /// Form of the result.
    #[arg(long, global = true, help_heading = EVERYWHERE, value_parser = formats(), default_value = "table")]
    format: Format,
    /// Print the whole of an answer, not its first screen.
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    full: bool,
    /// Colour what is printed: on a terminal that takes it (`NO_COLOR` unset), always, or never.
    #[arg(long, global = true, help_heading = EVERYWHERE, hide_short_help = true, value_name = "WHEN", value_enum, default_value_t)]
    color: Colours,
    /// Override a key of the scenario, such as `training.hardware.count=512`; repeatable.
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// A folder whose tables add to and replace rows of the built-in catalog.
    #[arg(long, global = true, help_heading = EVERYWHERE, hide_short_help = true, value_name = "DIR", env = "FLOPCAST_DATA")]
    data_dir: Option<PathBuf>,
    /// Folder in which `catalog refresh` keeps what it fetched; left out, `flopcast` in the user's folder
    /// of caches.
    #[arg(long, global = true, help_heading = EVERYWHERE, hide_short_help = true, value_name = "DIR", env = "FLOPCAST_CACHE")]
    cache_dir: Option<PathBuf>,
    /// Read the catalog as it stood on this day.
    #[arg(long, global = true, help_heading = EVERYWHERE, hide_short_help = true, value_name = "DATE")]
    as_of: Option<chrono::NaiveDate>,
    /// Read the catalog even where `flopcast.lock` pins its rows.
    #[arg(long, global = true, help_heading = EVERYWHERE, hide_short_help = true)]
    no_lock: bool,
    /// A folder whose files scenarios may name although it is outside their project, which is the
    /// nearest folder with `.git` or the scenario's own; repeatable.
    #[arg(long, global = true, help_heading = EVERYWHERE, hide_short_help = true, value_name = "DIR")]
    allow_path: Vec<PathBuf>,
    /// Ask the Hub for the configuration of a model `hf:owner/name` that its local cache lacks; a
    /// token is read from `HF_TOKEN`.
    #[arg(long, global = true, help_heading = EVERYWHERE, hide_short_help = true)]
    online: bool,
    /// The scenario that flags make, in place of a file.
    #[arg(skip)]
    asked: Option<ask::Written>,
}

/// The forms that carry any result.
fn formats() -> impl TypedValueParser<Value = Format> {
    let any = FORMS.iter().filter(|form| form.carries == Carries::Anything);
    let values = any.map(|form| PossibleValue::new(form.name).help(form.says));
    PossibleValuesParser::new(values).map(|name| {
        let named = FORMS.iter().find(|form| form.name == name);
        named.map_or(Format::Table, |form| form.format)
    })
}

impl Global {
    /// Prints the result of a question in the form asked for.
    fn show(&self, subject: &dyn Subject) -> Result<()> {
        self.print(subject).map(|_| ())
    }

    /// Prints a result in the form asked for.
    fn print(&self, subject: &dyn Subject) -> Result<ExitCode> {
        let setting = Setting { width: width(), full: self.full, ..Setting::default() };
        let text = String::from_utf8_lossy(&self.format.render(subject, setting)?).into_owned();
        let bright = self.format == Format::Table && paints(io::stdout().is_terminal());
        print(&if bright { highlighted(&text) } else { text })
    }
}

/// When colours are printed.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Colours {
    /// Where a stream is a terminal that takes them.
    #[default]
    Auto,
    /// Into files and pipes, too.
    Always,
    /// Nowhere.
    Never,
}

/// What the call asks for, told once when it begins; errors before that are for terminals.
static COLOURS: OnceLock<Colours> = OnceLock::new();

/// True if a stream takes colours: it is a terminal that nobody calls dumb, and `NO_COLOR` is not
/// set (<https://no-color.org>), unless `--color` says it.
#[expect(clippy::disallowed_methods, reason = "the command line may read the environment")]
fn paints(terminal: bool) -> bool {
    match COLOURS.get().copied().unwrap_or_default() {
        Colours::Always => return true,
        Colours::Never => return false,
        Colours::Auto => {}
    }
    let set = |name| std::env::var(name).is_ok_and(|value| !value.is_empty());
    let dumb = std::env::var("TERM").is_ok_and(|terminal| terminal == "dumb");
    terminal && !dumb && !set("NO_COLOR")
}

/// The words that a message begins with, and how a terminal shows them: bold, and errors red, which
/// is read on dark and on light ground alike.
const SIGNALS: [(&str, &str); 4] =
    [("error:", "1;31"), ("warning:", "1"), ("note:", "1"), ("hint:", "1")];

/// A line whose first word is shown as a signal where it is one.
fn signalled(line: &str) -> String {
    let start = line.len() - line.trim_start().len();
    let (margin, rest) = line.split_at(start);
    match SIGNALS.iter().find(|(word, _)| rest.starts_with(word)) {
        Some((word, code)) => {
            format!("{margin}\u{1b}[{code}m{word}\u{1b}[0m{}", &rest[word.len()..])
        }
        None => line.to_owned(),
    }
}

/// A result with its title in bold and its warnings marked.
fn highlighted(text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(signalled).collect();
    if let [title, blank, ..] = lines.as_mut_slice()
        && blank.is_empty()
        && !title.is_empty()
    {
        *title = format!("\u{1b}[1m{title}\u{1b}[0m");
    }
    lines.join("\n") + "\n"
}

/// Columns that a table may take: those of `COLUMNS`, of the terminal, or 80.
#[expect(clippy::disallowed_methods, reason = "the command line may read the environment")]
fn width() -> usize {
    let said = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    let terminal = || terminal_size().map(|(Width(columns), _)| usize::from(columns));
    said.or_else(terminal).map_or(Setting::default().width, |columns| columns.clamp(40, 400))
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Forecast a scenario: time, money, energy, carbon and water, a table per stage.
    #[command(visible_alias = "breakdown")]
    Estimate(estimate::Options),
    /// Explain a figure: its derivation down to lines and sources.
    Explain(explain::Options),
    /// Count an architecture: parameters, FLOPs, bytes, layer by layer.
    Model(model::Options),
    /// Write a foreign architecture as a model file that `model` and scenarios read.
    Import(import::Options),
    /// Measure how wrong flopcast is: predictions beside published runs and throughputs.
    Backtest(backtest::Options),
    /// Fit the constants of the step-time model to measured throughputs, with the proof.
    Calibrate(calibrate::Options),
    /// Size the fleet that keeps a service's latency SLO at its traffic, and price it.
    Capacity(capacity::Options),
    /// Compare forecasts line by line, with the inputs that explain the difference.
    #[command(visible_alias = "diff")]
    Compare(compare::Options),
    /// Check forecasts against the limits of a policy; write the comment for a pull request.
    Check(check::Options),
    /// Find the best device, place, purchase and size within a budget, a deadline and a carbon cap.
    Optimize(Box<optimize::Options>),
    /// Add up a folder of scenarios as one budget, by team, quarter and any tag.
    Portfolio(portfolio::Options),
    /// Forecast all combinations of some values: which are best, which cannot be done.
    Sweep(sweep::Options),
    /// Write the forecast as a document for other people: a page, Markdown, CSV or JSON.
    Report(report::Options),
    /// Set what a run or a service took in fact beside its forecast: hours, energy, CO2e, cost,
    /// latency, and the reasons.
    Actuals(actuals::Options),
    /// Check that scenario files are right.
    Validate(validate::Options),
    /// List what the catalog knows, with its sources and their age.
    Catalog(catalog::Options),
    /// Pin the catalog's rows that scenarios use in `flopcast.lock` beside them.
    Lock(lock::Options),
    /// Write a commented scenario to start from.
    Init(init::Options),
    /// Serve the page and the questions over HTTP, on this machine alone unless told otherwise.
    #[cfg(feature = "serve")]
    Serve(serve::Options),
    /// Offer the questions as tools of an agent, by the Model Context Protocol over standard streams.
    #[cfg(feature = "serve")]
    Mcp,
    /// Print the JSON Schema of scenario files, for editors.
    Schema,
    /// Print completions for a shell.
    Completions(completions::Options),
    /// Print the manual page.
    Man,
}

/// What a call without a command says: the ways to a first answer, on one screen.
const FIRST_WORDS: &str = "\
flopcast forecasts what an AI model takes: time, cost, energy, CO2e, fleet.

A first answer:
  flopcast estimate --model 7B --tokens 2T --on 64xH100
  flopcast estimate train.sbatch        a job file of your own, as it is
  flopcast capacity --model llama-3.3-70b --requests 40/s --on H100
  flopcast init scenario.yaml           a scenario to change

With a scenario or a job:
  estimate   time, cost, energy and CO2e    explain    where a figure is from
  capacity   the fleet that keeps an SLO    optimize   best device and place
  sweep      combinations of values         compare    two forecasts
  report     a page, workbook or job        check      limits of a policy

flopcast --help lists every command, flopcast COMMAND --help its options.";

/// Runs the command line; the exit code is the process's.
pub fn main() -> ExitCode {
    if std::env::args_os().len() < 2 {
        tell(FIRST_WORDS);
        return ExitCode::from(Kind::Input as u8);
    }
    let cli = Cli::parse();
    let _ = COLOURS.set(cli.global.color);
    match cli.run() {
        Ok(code) => code,
        Err(error) => {
            tell(&format!("error: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}

impl Cli {
    /// Runs the command that was asked for.
    fn run(&self) -> Result<ExitCode> {
        match &self.command {
            Command::Estimate(options) => options.run(&self.global),
            Command::Explain(options) => options.run(&self.global),
            Command::Model(options) => options.run(&self.global),
            Command::Import(options) => options.run(&self.global),
            Command::Backtest(options) => options.run(&self.global),
            Command::Calibrate(options) => options.run(&self.global),
            Command::Capacity(options) => options.run(&self.global),
            Command::Compare(options) => options.run(&self.global),
            Command::Check(options) => options.run(&self.global),
            Command::Optimize(options) => options.run(&self.global),
            Command::Portfolio(options) => options.run(&self.global),
            Command::Sweep(options) => options.run(&self.global),
            Command::Report(options) => options.run(&self.global),
            Command::Actuals(options) => options.run(&self.global),
            Command::Validate(options) => options.run(&self.global),
            Command::Catalog(options) => options.run(&self.global),
            Command::Lock(options) => options.run(&self.global),
            Command::Init(options) => options.run(),
            #[cfg(feature = "serve")]
            Command::Serve(options) => options.run(&self.global),
            #[cfg(feature = "serve")]
            Command::Mcp => mcp::run(&self.global),
            Command::Schema => print(&schema::text()),
            Command::Completions(options) => print(&options.script()),
            Command::Man => print(&completions::manual()?),
        }
    }
}

/// The exit code of a result: success, or that of a limit that is broken.
fn exit(kept: bool) -> ExitCode {
    if kept { ExitCode::SUCCESS } else { ExitCode::from(Kind::Limit as u8) }
}

/// Says something beside the result, on stderr, with whatever would act on a terminal written out.
/// That nobody can be told is no error: the exit code stands.
fn tell(text: &str) {
    let mut stderr = io::stderr().lock();
    let lines = visible_lines(text);
    let columns = terminal_size_of(&stderr).map(|(Width(columns), _)| usize::from(columns));
    let lines = lines.lines().map(|line| cut(line, MOST_SAID));
    let bright = paints(stderr.is_terminal());
    let lines: Vec<String> = lines
        .flat_map(|line| by_words(&line, columns))
        .map(|line| if bright { signalled(&line) } else { line })
        .collect();
    let _ = writeln!(stderr, "{}", lines.join("\n")).and_then(|()| stderr.flush());
}

/// A line of words in lines that a terminal shows whole, those behind the first indented; a line
/// that quotes a file stays as it is, for marks below it point into it.
fn by_words(line: &str, columns: Option<usize>) -> Vec<String> {
    let margin = line.len() - line.trim_start().len();
    let quotes = line.contains('|') || line.trim_start().starts_with("-->");
    let Some(columns) = columns.filter(|columns| !quotes && *columns > margin + 20) else {
        return vec![line.to_owned()];
    };
    let lines = wrap(line.trim_start(), columns - margin - 2);
    let indent = |(at, line): (usize, &str)| " ".repeat(margin + if at > 0 { 2 } else { 0 }) + line;
    lines.into_iter().enumerate().map(indent).collect()
}

/// The longest line that is said beside the result, in characters; a file may hold longer words.
const MOST_SAID: usize = 1000;

/// Prints a result; a closed pipe is no error.
fn print(text: &str) -> Result<ExitCode> {
    let mut stdout = io::stdout().lock();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    match write!(stdout, "{text}{end}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::input(format!("the result could not be written: {error}")))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}
