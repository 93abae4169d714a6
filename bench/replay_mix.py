# SPDX-License-Identifier: GPL-2.0-or-later
"""The mix of a replayed week: who sends, from where, with which senders, and what those senders' mail servers are like.

Everything is drawn from one seed, so that each gate gets the same week. docs/replay.md says where the shares come from.
write(directory, …) leaves four files of lines with tabs: hosts, domains, mailboxes, mails.
"""

import os
import random

WEEK = 7 * 86400
HERE = "here.example"

# Of 1,000 forged mails. The five marked * are what no call-out can refuse.
FORGED = {
    "made-up": 495,           # a local part that does not exist, at somebody's real domain
    "no-domain": 130,         # the domain does not exist, or takes no mail
    "spf": 140,               # a domain whose SPF record says that nobody else sends for it (-all)
    "freemail": 60,           # made-up, at a large provider that tells
    "freemail-spf": 40,       # made-up, at a large provider with -all
    "freemail-silent": 20,    # * made-up, at a provider that is never asked
    "ours-absent": 70,        # a made-up address of our own domain
    "ours-present": 5,        # * an address of one of our users
    "stolen": 20,             # * somebody's real address, at a domain that does not say who sends for it
    "flood": 20,              # * partly: one domain by the hundred within half an hour, more than its budget
}

# Of 1,000 honest mails.
HONEST = {
    "person": 620,            # correspondents: a first contact, then repeats
    "list": 150,              # mailing lists, an address of its own for each mail (VERP)
    "bulk": 140,              # newsletters and shops: a token for each mail, at a server that takes all of them
    "null": 60,               # bounces and other mail of the null sender
    "forwarded-srs": 15,
    "forwarded": 10,          # without SRS, of domains without an SPF record
    "ours-outside": 5,        # our own users by way of somebody else's server
}

# Where the domain's mail lives, of 100 domains; `own` has one of the lab's habits.
HOSTING_HONEST = {"exchange": 30, "google": 20, "silent": 8, "freemail": 7, "own": 35}
HOSTING_FORGED = {"exchange": 30, "google": 15, "own": 55}

# Habits of servers that domains run themselves, of 1,000. Names are rows of lab/habits.c; * is the share that can be set.
HABITS = {
    "truthful.lab": 470, "plain.lab": 100, "tls.lab": 110, "mumbles.lab": 30, "policy-words.lab": 40, "redmond.lab": 30,
    "disabled.lab": 10, "old.lab": 10, "sloppy.lab": 10, "utf8.lab": 10, "one-at-a-time.lab": 10, "tls-broken.lab": 5,
    "no-bounces.lab": 20, "batv.lab": 10, "tarpit.lab": 15, "drops-at-rset.lab": 5, "drops-after-rcpt.lab": 5,
    "catchall.lab": 50, "bounces-later.lab": 15,
    "wont-say.lab": 5, "blocks-at-mail.lab": 3, "blocks-at-rcpt.lab": 3, "refuses-all-senders.lab": 3,
    "greylist.lab": 50,       # *
    "full.lab": 5, "busy-mailbox.lab": 2,
    "slow.lab": 1, "sick.lab": 1, "down.lab": 1, "dns-broken.lab": 1,
}
NO_DOMAIN = {"nxdomain": 80, "nullmx": 10, "nowhere": 7, "loopback": 3}
RETRYING_BOTS = 0.15          # of forged mail comes from a queue that tries again

FIRST = "anna ben carl dora emil finn gina hugo ida jan kim lea max nina otto pia rosa sven tom uwe vera will yan zoe".split()
LAST = "meyer smith rossi dubois novak garcia kowalski jensen silva ivanov tanaka haas moreau costa weber klein".split()
SEEN_AT = ["", "info", "sales", "office", "news", "support", "admin", "service"]


def pick(rng, shares):
    return rng.choices(list(shares), list(shares.values()))[0]


def address_of(n, base):
    """The nth address above a base of four numbers, without .0 and .255."""
    return f"{base}.{n // 250 % 250}.{1 + n % 250}"


class Mix:
    def __init__(self, seed=1, forged=19000, honest=10000, greylisting=HABITS["greylist.lab"]):
        self.rng = random.Random(seed)
        self.wanted = {"forged": forged, "honest": honest}
        self.scale = (forged + honest) / 29000
        self.habits = dict(HABITS, **{"greylist.lab": greylisting})
        self.hosts, self.domains, self.mailboxes, self.mails = [], {}, set(), []
        self.by_habit, self.n_hosts = {}, 0
        self.operators()

    # --- places ---

    def host(self, habit, greylist=0):
        ip = address_of(self.n_hosts, "127.10")
        self.n_hosts += 1
        self.hosts.append((ip, habit, greylist))
        return ip

    def host_with(self, habit, sharing=6):
        """A server of this habit, shared by a handful of domains."""
        entry = self.by_habit.get(habit)
        if not entry or entry[1] == 0:
            greylist = 300 if "greylist" in habit else 0
            entry = [self.host(habit, greylist), sharing]
            self.by_habit[habit] = entry
        entry[1] -= 1
        return entry[0]

    def operators(self):
        # What google and Exchange Online answer: the lab's rows for them.
        self.google = [self.host("truthful.lab") for _ in range(4)]
        self.exchange = [self.host("redmond.lab") for _ in range(12)]
        self.domain("gmail.example", "mx", "aspmx.l.google.com", self.google[0], "v=spf1 ip4:127.20.0.0/16 ~all")
        self.domain("gmx.example", "mx", "mx00.gmx.example", self.host("truthful.lab"), "v=spf1 ip4:127.21.0.0/16 -all")
        self.domain("web.example", "mx", "mx.web.example", self.host("truthful.lab"), "v=spf1 ip4:127.21.0.0/16 -all")
        self.domain("yahoo.example", "mx", "mta5.am0.yahoodns.net", self.host("truthful.lab"), "v=spf1 ip4:127.22.0.0/16 ?all")
        self.domain("outlook.example", "mx", "outlook-example.olc.protection.outlook.com", self.host("redmond.lab"),
                    "v=spf1 ip4:127.22.0.0/16 ~all")
        self.domain(HERE, "mx", "mx." + HERE, "127.9.0.1", "v=spf1 ip4:10.0.0.0/8 -all")
        for user in range(40):
            self.mailboxes.add(f"user{user}@{HERE}")

    def domain(self, name, kind, mx="", ip="", spf=""):
        self.domains[name] = (kind, mx, ip, spf)
        if kind == "mx":
            self.mailboxes.add(f"postmaster@{name}")
        return name

    def own_kind(self, name, spf):
        habit = pick(self.rng, self.habits)
        if habit == "dns-broken.lab":
            return self.domain(name, "servfail")
        return self.domain(name, "mx", f"mx.{name}", self.host_with(habit), spf)

    def new_domain(self, name, hosting, spf):
        if hosting == "exchange":
            return self.domain(name, "mx", name.replace(".", "-") + ".mail.protection.outlook.com",
                               self.rng.choice(self.exchange), spf)
        if hosting == "google":
            return self.domain(name, "mx", "aspmx.l.google.com", self.rng.choice(self.google), spf)
        return self.own_kind(name, spf)

    def person(self):
        r = self.rng
        return f"{r.choice(FIRST)}.{r.choice(LAST)}{r.randrange(100)}"

    def nobody(self, domain):
        """A local part that forgers make up; not one of the few that exist."""
        r = self.rng
        while True:
            word = r.choice([self.person(), r.choice(SEEN_AT[1:]) + str(r.randrange(1000)),
                             "".join(r.choices("abcdefghijklmnopqrstuvwxyz", k=r.randrange(5, 10)))])
            if f"{word}@{domain}" not in self.mailboxes:
                return f"{word}@{domain}"

    def recipient(self):
        return f"user{min(39, int(self.rng.expovariate(0.1)))}@{HERE}"

    def mail(self, at, kind, ip, helo, sender, first=0, retries=1):
        self.mails.append((at % WEEK, kind, ip, helo, sender, self.recipient(), first, retries))

    # --- honest ---

    def work_time(self):
        """Offices: working days, ten hours; a fifth at any time."""
        r = self.rng
        if r.random() < 0.2:
            return r.random() * WEEK
        return r.randrange(5) * 86400 + 8 * 3600 + r.betavariate(2, 2) * 36000

    def correspondents(self, n):
        people = []
        hosts = {"silent": ["yahoo.example", "outlook.example"], "freemail": ["gmx.example", "web.example", "gmail.example"]}
        for i in range(n):
            hosting = pick(self.rng, HOSTING_HONEST)
            if hosting in hosts:
                domain = self.rng.choice(hosts[hosting])
            elif people and self.rng.random() < 0.45:  # a colleague of somebody who writes to us already
                domain = self.rng.choice(people)[0].split("@")[1]
            else:
                domain = self.new_domain(f"firm{i}.example", hosting, self.spf_of(self.n_net(i)))
            address = f"{self.person()}@{domain}"
            self.mailboxes.add(address)
            people.append((address, self.sender_ip(domain)))
        return people

    def n_net(self, i):
        return f"127.{24 + i // 250 % 30}.{i % 250}"

    def spf_of(self, net):
        return self.rng.choices(["", f"v=spf1 ip4:{net}.0/24 ~all", f"v=spf1 ip4:{net}.0/24 -all"], [25, 50, 25])[0]

    def sender_ip(self, domain):
        """An address that the domain's SPF record names, if it has one."""
        spf = self.domains[domain][3]
        net = spf.split("ip4:")[1].split("/")[0] if "ip4:" in spf else f"127.60.{abs(hash_of(domain)) % 250}.0"
        front = ".".join(net.split(".")[:2 if spf.startswith("v=spf1 ip4:") and "/16" in spf else 3])
        rest = 4 - len(front.split("."))
        return ".".join([front] + [str(self.rng.randrange(1, 250)) for _ in range(rest)])

    def honest_person(self, n):
        people = self.correspondents(max(10, int(n * 0.3)))
        counts = [0] * len(people)
        for i in range(len(people)):
            counts[i] = 1
        weights = [1 / (i + 1) ** 0.8 for i in range(len(people))]
        for i in self.rng.choices(range(len(people)), weights, k=n - len(people)):
            counts[i] += 1
        for (address, ip), count in zip(people, counts):
            times = sorted(self.work_time() for _ in range(count))
            for k, at in enumerate(times):
                self.mail(at, "honest/person", ip, "mail." + address.split("@")[1], address, first=int(k == 0))
        self.people = people

    def honest_list(self, n):
        lists = [self.own_list(i) for i in range(max(2, int(25 * self.scale)))]
        seen = set()
        for k in sorted(range(n), key=lambda _: self.rng.random()):
            name, ip = self.rng.choice(lists)
            self.mail(self.work_time(), "honest/list", ip, "lists." + name,
                      f"list-bounces+{1000 + k}={self.recipient().replace('@', '=')}@{name}", first=0)
        self.mark_first("honest/list", seen)

    def own_list(self, i):
        name = self.domain(f"lists{i}.example", "mx", f"mx.lists{i}.example", self.host_with("truthful.lab"))
        self.mailboxes.add(f"list-bounces+*@{name}")
        return name, f"127.61.{i}.7"

    def honest_bulk(self, n):
        shops = [(self.domain(f"em.shop{i}.example", "mx", f"mx.mailer{i % 8}.example", self.host_with("catchall.lab", 10)),
                  f"127.62.{i % 8}.{1 + i}") for i in range(max(3, int(60 * self.scale)))]
        for _ in range(n):
            name, ip = self.rng.choice(shops)
            token = "".join(self.rng.choices("0123456789abcdef", k=20))
            self.mail(self.work_time(), "honest/bulk", ip, "out." + name, f"bounce-{token}@{name}")
        self.mark_first("honest/bulk", set())

    def mark_first(self, kind, seen):
        """Of programs that take a new address each time the first mail of the domain is the first contact."""
        mails = sorted(m for m in self.mails if m[1] == kind)
        others = [m for m in self.mails if m[1] != kind]
        marked = []
        for m in mails:
            name = m[4].split("@")[1]
            marked.append(m[:6] + (int(name not in seen),) + m[7:])
            seen.add(name)
        self.mails = others + marked

    def honest_null(self, n):
        for _ in range(n):
            self.mail(self.work_time(), "honest/null", f"127.63.{self.rng.randrange(250)}.9", "mx.some.example", "")

    def honest_forwarded_srs(self, n):
        name = self.domain("alumni.example", "mx", "mx.alumni.example", self.host_with("truthful.lab"))
        self.mailboxes.add(f"SRS0=*@{name}")
        for _ in range(n):
            self.mail(self.work_time(), "honest/forwarded-srs", "127.64.0.7", "mx.alumni.example",
                      f"SRS0={self.rng.randrange(1 << 16):04x}=XY=firm.example={self.person()}@{name}")
        self.mark_first("honest/forwarded-srs", set())

    def honest_forwarded(self, n):
        without = [a for a, _ in self.people if not self.domains[a.split("@")[1]][3]] or [self.people[0][0]]
        for _ in range(n):
            self.mail(self.work_time(), "honest/forwarded", "127.64.1.7", "mx.university.example", self.rng.choice(without))

    def honest_ours_outside(self, n):
        for _ in range(n):
            self.mail(self.work_time(), "honest/ours-outside", f"127.65.{self.rng.randrange(250)}.1", "laptop.example",
                      f"user{self.rng.randrange(40)}@{HERE}")

    # --- forged ---

    def campaign_time(self):
        """Two thirds in campaigns of some hours, the rest all the time."""
        r = self.rng
        if r.random() < 0.35:
            return r.random() * WEEK
        begin, length = r.choice(self.campaigns)
        return begin + r.random() * length

    def bot(self):
        return f"127.{70 + self.rng.randrange(180)}.{self.rng.randrange(256)}.{self.rng.randrange(1, 255)}"

    def forge(self, kind, sender, at=None):
        at = self.campaign_time() if at is None else at
        retries = int(self.rng.random() < RETRYING_BOTS)
        self.mail(at, "forged/" + kind, self.bot(), f"host{self.rng.randrange(99999)}.example", sender, 0, retries)

    def forged_domains(self, n):
        """Real domains that forgers use; two in five are those of our correspondents."""
        honest = [d for d, (kind, mx, _, spf) in self.domains.items() if d.startswith("firm") and "-all" not in spf]
        fresh = [self.new_domain(f"victim{i}.example", pick(self.rng, HOSTING_FORGED),
                                 self.rng.choices(["", "v=spf1 ip4:127.66.0.0/16 ~all"], [40, 60])[0]) for i in range(n)]
        return honest, fresh

    def forged(self, n):
        r = self.rng
        self.campaigns = [(r.random() * WEEK, 3600 * (1 + 3 * r.random())) for _ in range(max(3, int(40 * self.scale)))]
        honest, fresh = self.forged_domains(max(20, int(3500 * self.scale)))
        closed = [self.domain(f"closed{i}.example", "mx", f"mx.closed{i}.example", self.host_with("truthful.lab"),
                              "v=spf1 ip4:127.67.0.0/16 -all") for i in range(max(5, int(400 * self.scale)))]
        total, counts = sum(FORGED.values()), {}
        for kind, share in FORGED.items():
            counts[kind] = n * share // total
        counts["made-up"] += n - sum(counts.values())

        def anywhere():
            return r.choice(honest) if honest and r.random() < 0.4 else r.choice(fresh)

        for _ in range(counts["made-up"]):
            self.forge("made-up", self.nobody(anywhere()))
        for i in range(counts["no-domain"]):
            name = f"gone{i // 3}.example"
            if name not in self.domains:
                self.domain(name, pick(r, NO_DOMAIN))
            self.forge("no-domain", f"{self.person()}@{name}")
        for _ in range(counts["spf"]):
            self.forge("spf", self.nobody(r.choice(closed)))
        for _ in range(counts["freemail"]):
            self.forge("freemail", self.nobody("gmail.example"))
        for _ in range(counts["freemail-spf"]):
            self.forge("freemail-spf", self.nobody(r.choice(["gmx.example", "web.example"])))
        for _ in range(counts["freemail-silent"]):
            self.forge("freemail-silent", self.nobody(r.choice(["yahoo.example", "outlook.example"])))
        for _ in range(counts["ours-absent"]):
            self.forge("ours-absent", self.nobody(HERE))
        for _ in range(counts["ours-present"]):
            self.forge("ours-present", f"user{r.randrange(40)}@{HERE}")
        open_people = [a for a, _ in self.people if not self.domains[a.split("@")[1]][3]]
        for _ in range(counts["stolen"]):
            self.forge("stolen", r.choice(open_people or [self.people[0][0]]))
        self.floods(counts["flood"])

    def floods(self, n):
        size = 95
        targets = [self.domain(f"flood{i}.example", "mx", f"mx.flood{i}.example", self.host_with("truthful.lab"))
                   for i in range(max(1, n // size))]
        begins = [self.rng.random() * (WEEK - 3600) for _ in targets]
        for i in range(n):
            t = i % len(targets)
            self.forge("flood", self.nobody(targets[t]), begins[t] + self.rng.random() * 1800)

    # --- all of it ---

    def make(self):
        n, total, counts = self.wanted["honest"], sum(HONEST.values()), {}
        for kind, share in HONEST.items():
            counts[kind] = n * share // total
        counts["person"] += n - sum(counts.values())
        for kind, count in counts.items():
            getattr(self, "honest_" + kind.replace("-", "_"))(count)
        self.forged(self.wanted["forged"])
        self.mails.sort()
        return self


def hash_of(text):
    h = 5381
    for c in text:
        h = (h * 33 + ord(c)) & 0x7fffffff
    return h


def write(directory, **more):
    """Leaves the files of a mix; returns it."""
    mix = Mix(**more).make()

    def lines(name, rows):
        with open(os.path.join(directory, name), "w", encoding="ascii") as f:
            for row in rows:
                f.write("\t".join(str(c) for c in row) + "\n")

    lines("hosts", mix.hosts)
    lines("domains", ((d, *v) for d, v in mix.domains.items()))
    lines("mailboxes", ((m,) for m in sorted(mix.mailboxes)))
    lines("mails", ((f"{m[0]:.3f}", *m[1:]) for m in mix.mails))
    return mix


def describe(mix):
    counts = {}
    for m in mix.mails:
        counts[m[1]] = counts.get(m[1], 0) + 1
    return {"mails": counts, "hosts": len(mix.hosts), "domains": len(mix.domains), "first": sum(m[6] for m in mix.mails)}


if __name__ == "__main__":
    import json
    import sys
    print(json.dumps(describe(write(sys.argv[1])), indent=1))
