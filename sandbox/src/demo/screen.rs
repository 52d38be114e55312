//! A table that is redrawn in place on a terminal, and one line per change elsewhere.

use std::io::{self, IsTerminal, Write};

/// Where the demo is shown.
pub(super) struct Screen {
    out: io::Stdout,
    size: Option<(usize, usize)>,
    drawn: usize,
}

impl Screen {
    /// Standard output. Redrawn in place if it is a terminal that can.
    pub(super) fn stdout() -> Self {
        let out = io::stdout();
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
        let size = (out.is_terminal() && !dumb).then(|| rustix::termios::tcgetwinsize(&out).ok()).flatten();
        let size = size.map(|size| (usize::from(size.ws_col), usize::from(size.ws_row))).filter(|(columns, _)| *columns >= 40);
        Self { out, size, drawn: 0 }
    }

    /// The width of a table of so many lines, if it can be redrawn: what has scrolled away cannot.
    pub(super) fn table_width(&self, lines: usize) -> Option<usize> {
        self.size.filter(|(_, rows)| *rows > lines + 1).map(|(columns, _)| columns)
    }

    /// Writes a line that stays, above the table.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        self.erase()?;
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }

    /// Draws the table anew.
    pub(super) fn draw(&mut self, table: &[String]) -> io::Result<()> {
        let mut text = self.up();
        for line in table {
            text += &format!("{line}\x1b[K\n");
        }
        text += "\x1b[J";
        self.drawn = table.len();
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }

    /// Leaves the table where it is: what follows is written below it.
    pub(super) fn leave(&mut self) {
        self.drawn = 0;
    }

    fn erase(&mut self) -> io::Result<()> {
        if self.drawn > 0 {
            let text = format!("{}\x1b[J", self.up());
            self.drawn = 0;
            self.out.write_all(text.as_bytes())?;
        }
        Ok(())
    }

    /// The way back to the table's first line.
    fn up(&self) -> String {
        if self.drawn > 0 { format!("\x1b[{}A", self.drawn) } else { String::new() }
    }
}
