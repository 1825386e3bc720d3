//! Compares this library with go-plugin and with tonic: the same work on each pairing of hosts and
//! plugins, interleaved in one run, beside the limits of the machine. Asserts nothing.

mod document;
mod host;
mod limits;
mod machine;
mod peers;
mod plot;
mod process;
mod result;
mod row;
mod series;
mod table;
mod work;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;

use self::host::Outcome;
use self::limits::Limit;
use self::machine::Machine;
use self::peers::{PAIRINGS, Peers};
use self::row::{Cell, Row};
use self::work::{Depth, Work};
use crate::root;

/// The options of a comparison.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only work whose name begins with this; repeatable
    #[arg(long, value_name = "WORK")]
    only: Vec<String>,
    /// The number of rounds
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// One short round, to check that everything works
    #[arg(long)]
    quick: bool,
    /// Also write the table into docs/performance.md
    #[arg(long)]
    document: bool,
}

/// The results of a comparison.
struct Comparison {
    machine: Machine,
    rounds: usize,
    rows: Vec<Row>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let place = root().join("target/bench-compare");
    let peers = Peers::build(&place)?;
    let depth = Depth::new(options.quick);
    let (works, limits) = chosen(work::all(&depth), limits::all(&depth), &options.only)?;
    let machine = Machine::look()?;
    machine.warn_if_busy();
    let rounds = options.rounds.unwrap_or(depth.rounds);
    let mut rows = measure(&peers, &works, &limits, rounds)?;
    if options.only.is_empty() {
        rows.extend(peers.sizes()?);
    }
    let comparison = Comparison { machine, rounds, rows };
    print!("{}", table::text(&comparison));
    write_files(&comparison, &place)?;
    if options.document { document::write(&comparison) } else { Ok(()) }
}

fn chosen(works: Vec<Work>, limits: Vec<Limit>, only: &[String]) -> Result<(Vec<Work>, Vec<Limit>)> {
    let names: Vec<_> = works.iter().map(|work| work.name.clone()).chain(limits.iter().map(Limit::name)).collect();
    let is_chosen = |name: &str| only.is_empty() || only.iter().any(|start| name.starts_with(start.as_str()));
    ensure!(names.iter().any(|name| is_chosen(name)), "no work has such a name; choose from {}", names.join(", "));
    let works = works.into_iter().filter(|work| is_chosen(&work.name)).collect();
    Ok((works, limits.into_iter().filter(|limit| is_chosen(&limit.name())).collect()))
}

/// Runs every pairing once in each round, so that other load on the machine affects all of them.
fn measure(peers: &Peers, works: &[Work], limits: &[Limit], rounds: usize) -> Result<Vec<Row>> {
    let mut measured: Vec<_> = works.iter().map(Work::rows).collect();
    let mut allowed: Vec<_> = limits.iter().map(Limit::rows).collect();
    for round in 1..=rounds {
        for (work, rows) in works.iter().zip(&mut measured) {
            eprintln!("round {round} of {rounds}: {}", work.name);
            for (column, pairing) in PAIRINGS.into_iter().enumerate() {
                match host::run(peers, pairing, work)? {
                    Outcome::Measured(metrics) => {
                        rows.iter_mut().try_for_each(|row| row.add_round(column, &metrics))?;
                    }
                    Outcome::Cannot(why) => {
                        rows.iter_mut().for_each(|row| row.cells[column] = Cell::Cannot(why.clone()))
                    }
                }
            }
        }
        for (limit, rows) in limits.iter().zip(&mut allowed) {
            eprintln!("round {round} of {rounds}: {}", limit.name());
            let metrics = limit.measure(peers)?;
            rows.iter_mut().try_for_each(|row| row.add_round(0, &metrics))?;
        }
    }
    Ok(measured.into_iter().chain(allowed).flatten().collect())
}

fn write_files(comparison: &Comparison, place: &std::path::Path) -> Result<()> {
    let file = |name: &str| -> PathBuf { place.join(name) };
    std::fs::write(file("result.json"), format!("{:#}\n", result::json(comparison)))?;
    plot::write(comparison, &file("result.svg"))?;
    println!("\nAs JSON in {}, as a plot in {}", file("result.json").display(), file("result.svg").display());
    Ok(())
}
