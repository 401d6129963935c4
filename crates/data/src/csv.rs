//! Tables with the places of their rows, found when this crate is built: a look-up reads no other row.

/// A table: its text, and where the rows of each key stand in it.
#[derive(Debug)]
pub struct Csv {
    /// Path below the folder of the facts.
    pub file: &'static str,
    /// Its text: a header, then a row a line.
    pub text: &'static str,
    pub(crate) groups: Groups,
}

/// The groups of a table.
#[derive(Debug)]
pub(crate) struct Groups {
    /// Leading cells that the rows of a group share.
    pub(crate) cells: usize,
    /// In the order of the file.
    pub(crate) places: &'static [Group],
    /// Their places by the first cell, those of one cell in the order of the file.
    pub(crate) order: &'static [u32],
}

/// Consecutive rows that share their leading cells: one, or two where look-ups give two.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    start: u32,
    end: u32,
    line: u32,
    first: u16,
    second: u16,
}

impl Group {
    /// Bytes from where to where, the number of the first line, the lengths of the cells.
    pub(crate) const fn new(start: u32, end: u32, line: u32, first: u16, second: u16) -> Self {
        Self { start, end, line, first, second }
    }

    /// The number of its first line.
    pub fn line(self) -> usize {
        self.line as usize
    }
}

impl Csv {
    /// The header.
    pub fn header(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default()
    }

    /// True if the rows of a group share two cells, not the first alone.
    pub fn is_by_two(&self) -> bool {
        self.groups.cells > 1
    }

    /// The groups in the order of the file.
    pub fn groups(&self) -> &'static [Group] {
        self.groups.places
    }

    /// The rows of a group.
    pub fn rows(&self, group: Group) -> &'static str {
        &self.text[group.start as usize..group.end as usize]
    }

    /// The first cell of a group's rows.
    pub fn first(&self, group: Group) -> &'static str {
        &self.rows(group)[..group.first.into()]
    }

    /// The second cell of a group's rows; empty where a group shares the first alone.
    pub fn second(&self, group: Group) -> &'static str {
        let from = usize::from(group.first) + 1;
        match group.second {
            0 => "",
            length => &self.rows(group)[from..from + usize::from(length)],
        }
    }

    /// The first cells of the groups, in alphabetical order.
    pub fn firsts(&self) -> impl Iterator<Item = &'static str> + use<'_> {
        self.groups.order.iter().map(|at| self.first(self.groups()[*at as usize]))
    }

    /// The places of the groups of a first cell among [`Csv::groups`], in the order of the file.
    pub fn of<'k>(&self, key: &'k str) -> impl Iterator<Item = usize> + use<'_, 'k> {
        let order = self.groups.order;
        let first = |at: u32| self.first(self.groups()[at as usize]);
        let from = order.partition_point(|at| first(*at) < key);
        order[from..].iter().take_while(move |at| first(**at) == key).map(|at| *at as usize)
    }
}
