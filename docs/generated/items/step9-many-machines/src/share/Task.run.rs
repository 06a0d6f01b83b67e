/// What a thread does with it, here or on another machine.
pub fn run(self, progress: &Progress) -> Answer {
    let size = self.size();
    match self {
        Self::Count(rounds) => Answer::Count(progress.count(rounds)),
        Self::Summary(piece) => {
            Answer::Summary(progress.work(size, || {
                let mut table = Table::default();
                table.add(&piece).map(|lines| (lines, table))
            }))
        }
        Self::Fail => panic!("/failing panics on purpose"),
    }
}
