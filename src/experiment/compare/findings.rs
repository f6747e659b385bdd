//! The findings of a comparison so far, by defence, attack and stance: cells come in any order,
//! many samples in batches.

use crate::attack::AttackConfig;
use crate::defence::Stance;
use crate::experiment::defended::DefenceBaseline;
use crate::experiment::provenance::Sources;
use crate::experiment::report::DefenceRow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The name of the undefended network, where others have that of their defence: empty.
pub const UNDEFENDED: &str = "";

/// One finding of a comparison, reported as soon as it is known. A defence is named by its stack's
/// text, the undefended network by [`UNDEFENDED`].
#[derive(Clone, Debug)]
pub enum CompareEvent {
    /// The networks and data it was computed from.
    Origin(Sources),
    /// What a defence makes of the clean sample.
    Clean(String, DefenceBaseline),
    /// The result of an attack on the sample.
    Cell(AttackConfig, Arc<DefenceRow>),
    /// More samples in order, clean: which of them a defence classifies correctly, and how many
    /// milliseconds single predictions took.
    Right(String, Vec<bool>, Vec<f64>),
    /// Clean samples, by number, for which a defence gives no finite number.
    Lost(String, Vec<usize>),
    /// More samples in order, attacked: which of them are classified correctly, clean and attacked.
    Held(String, AttackConfig, Stance, Vec<bool>),
}

impl CompareEvent {
    /// What it is about, where it is the result of an attack: "jpeg × pgd L∞, adaptive".
    pub fn words(&self) -> Option<String> {
        let (defence, plan, stance) = match self {
            Self::Cell(plan, row) => (&row.defence, plan, row.stance),
            Self::Held(defence, plan, stance, _) => (defence, plan, *stance),
            _ => return None,
        };
        Some(match defence.as_str() {
            UNDEFENDED => format!("{} {}", plan.attack.id, plan.norm),
            _ => format!("{defence} × {} {}, {stance}", plan.attack.id, plan.norm),
        })
    }
}

/// All findings of a comparison so far.
#[derive(Clone, Debug, Default)]
pub struct CompareFindings {
    rows: Vec<DefenceFindings>,
    /// What they are made of.
    pub origin: Sources,
    /// The clean samples, by number, for which a defence gave no finite number.
    pub lost: BTreeMap<String, BTreeSet<usize>>,
}

#[derive(Clone, Debug)]
struct DefenceFindings {
    defence: String,
    known: Option<DefenceBaseline>,
    right: Vec<bool>,
    laps: Vec<f64>,
    cells: Vec<CellFindings>,
}

#[derive(Clone, Debug)]
struct CellFindings {
    plan: AttackConfig,
    stance: Stance,
    one: Option<Arc<DefenceRow>>,
    held: Vec<bool>,
}

impl CompareFindings {
    /// Takes one more in.
    pub fn take(&mut self, finding: CompareEvent) {
        match finding {
            CompareEvent::Origin(origin) => self.origin.join(origin),
            CompareEvent::Clean(defence, known) => self.row_mut(&defence).known = Some(known),
            CompareEvent::Cell(plan, row) => {
                self.cell_mut(&row.defence, &plan, row.stance).one = Some(row.clone());
            }
            CompareEvent::Right(defence, right, laps) => {
                let row = self.row_mut(&defence);
                row.right.extend(right);
                row.laps.extend(laps);
            }
            CompareEvent::Lost(defence, samples) => {
                self.lost.entry(defence).or_default().extend(samples);
            }
            CompareEvent::Held(defence, plan, stance, held) => {
                self.cell_mut(&defence, &plan, stance).held.extend(held);
            }
        }
    }

    /// Forgets the one sample; what is known of many stays.
    pub fn forget_sample(&mut self) {
        self.origin.datasets.clear();
        for row in &mut self.rows {
            row.known = None;
            row.cells.iter_mut().for_each(|cell| cell.one = None);
        }
    }

    /// What a defence makes of the clean sample.
    pub fn known(&self, defence: &str) -> Option<&DefenceBaseline> {
        self.row(defence)?.known.as_ref()
    }

    /// The result of an attack on the sample. For the undefended network the stance makes no
    /// difference: there is no defence to know of.
    pub fn cell(
        &self,
        defence: &str,
        plan: &AttackConfig,
        stance: Stance,
    ) -> Option<&Arc<DefenceRow>> {
        self.find(defence, plan, stance)?.one.as_ref()
    }

    /// Which of the samples, from the first, a defence classifies correctly.
    pub fn right(&self, defence: &str) -> &[bool] {
        self.row(defence).map_or(&[], |row| &row.right)
    }

    /// How many milliseconds single predictions of a defence took.
    pub fn laps(&self, defence: &str) -> &[f64] {
        self.row(defence).map_or(&[], |row| &row.laps)
    }

    /// Which of the samples, from the first, withstand an attack.
    pub fn held(&self, defence: &str, plan: &AttackConfig, stance: Stance) -> &[bool] {
        self.find(defence, plan, stance).map_or(&[], |cell| &cell.held)
    }

    fn row(&self, defence: &str) -> Option<&DefenceFindings> {
        self.rows.iter().find(|row| row.defence == defence)
    }

    fn row_mut(&mut self, defence: &str) -> &mut DefenceFindings {
        let at = self.rows.iter().position(|row| row.defence == defence);
        let at = at.unwrap_or(self.rows.len());
        if at == self.rows.len() {
            self.rows.push(DefenceFindings {
                defence: defence.to_string(),
                known: None,
                right: Vec::new(),
                laps: Vec::new(),
                cells: Vec::new(),
            });
        }
        &mut self.rows[at]
    }

    fn find(&self, defence: &str, plan: &AttackConfig, stance: Stance) -> Option<&CellFindings> {
        let stance = kept(defence, stance);
        let cells = &self.row(defence)?.cells;
        cells.iter().find(|cell| cell.stance == stance && cell.plan == *plan)
    }

    fn cell_mut(
        &mut self,
        defence: &str,
        plan: &AttackConfig,
        stance: Stance,
    ) -> &mut CellFindings {
        let (stance, cells) = (kept(defence, stance), &mut self.row_mut(defence).cells);
        let same = |cell: &CellFindings| cell.stance == stance && cell.plan == *plan;
        let at = cells.iter().position(same).unwrap_or(cells.len());
        if at == cells.len() {
            cells.push(CellFindings { plan: plan.clone(), stance, one: None, held: Vec::new() });
        }
        &mut cells[at]
    }
}

/// The stance that a cell is kept under: against the undefended network all are the same.
fn kept(defence: &str, stance: Stance) -> Stance {
    if defence == UNDEFENDED { Stance::Naive } else { stance }
}
