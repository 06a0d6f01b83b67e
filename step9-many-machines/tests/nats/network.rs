//! A network that delays, loses and parts: a namespace of its own for who is
//! to be far away.

use std::process::Command;

/// A namespace with a line to this one, which is removed when it is dropped.
pub struct Network {
    name: String,
    pub here: String,
}

/// One packet of twenty is lost, in and out, as rules of nftables.
const LOSS: &str = "add table ip bad
add chain ip bad in { type filter hook input priority 0; }
add chain ip bad out { type filter hook output priority 0; }
add rule ip bad in numgen random mod 20 < 1 drop
add rule ip bad out numgen random mod 20 < 1 drop";

fn run(command: &str) -> bool {
    let mut words = command.split(' ');
    let program = words.next().unwrap();
    let output = Command::new(program).args(words).output();
    output.is_ok_and(|it| it.status.success())
}

impl Network {
    /// `None` where the test may not make one.
    pub fn new() -> Option<Self> {
        let id = std::process::id();
        let name = format!("far{id}");
        if !run(&format!("ip netns add {name}")) {
            return None;
        }
        // Another run of this test has other addresses.
        let addresses = format!("10.209.{}", id % 256);
        let here = format!("{addresses}.1");
        let network = Self { name, here };
        let Self { name, here } = &network;
        let made = [
            format!("ip link add {name} type veth peer name far netns {name}"),
            format!("ip addr add {here}/24 dev {name}"),
            format!("ip link set {name} up"),
            format!("ip -n {name} addr add {addresses}.2/24 dev far"),
            format!("ip -n {name} link set far up"),
        ];
        made.iter().all(|it| run(it)).then_some(network)
    }

    /// Delays all and loses some of it; where the kernel can't delay, only
    /// loses: TCP sends that again, a fifth of a second later. Returns false
    /// where the system can do neither.
    pub fn is_bad(&self) -> bool {
        let name = &self.name;
        let bad = "root netem delay 20ms 10ms loss 5%";
        let delays = run(&format!("tc qdisc add dev {name} {bad}"))
            && run(&format!("tc -n {name} qdisc add dev far {bad}"));
        delays || {
            let mut nft = Command::new("ip");
            nft.args(["netns", "exec", name, "nft", LOSS]);
            nft.output().is_ok_and(|it| it.status.success())
        }
    }

    pub fn part(&self) {
        assert!(run(&format!("ip link set {} down", self.name)));
    }

    pub fn heal(&self) {
        assert!(run(&format!("ip link set {} up", self.name)));
    }

    /// The same command, at the other end.
    pub fn there(&self, command: &Command) -> Command {
        let mut there = Command::new("ip");
        there.args(["netns", "exec", &self.name]).arg(command.get_program());
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                there.env(name, value);
            } else {
                there.env_remove(name);
            }
        }
        there
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        run(&format!("ip link del {}", self.name));
        run(&format!("ip netns del {}", self.name));
    }
}
