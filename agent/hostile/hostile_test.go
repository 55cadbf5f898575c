package hostile

import (
	"context"
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"traveler.example/agent"
)

var (
	attackFor = flag.Duration("attack", 6*time.Second, "how long all attacks of TestHostilePeer take together; ten minutes is the long form")
	onlyThese = flag.String("attacks", "", "a regular expression: TestHostilePeer plays the attacks whose names it matches")
	attackBy  = flag.Uint64("seed", 1, "the dice of TestHostilePeer's foe")
)

// What attacks may cost. linesInTen is for ten minutes; shorter ones may take their
// share of it, or linesAtOnce, since every cause is told when it comes up.
const (
	linesInTen  = 200
	linesAtOnce = 60
	memoryLong  = 1.5 // of the most that the target needs to work and to catch up; the long form
	memoryShort = 3.0 // a collector and a store that have just begun are no measure
)

// TestHostilePeer has a foe attack a gateway over Debian's broker, open to all,
// while people work at it and at its peer. Every light must be right, nothing may
// crash, memory and journal stay within bounds, and in the end both replicas are
// equal, hold what was scanned, verify, and name no honest key in evidence.
//
// The short form plays every attack for a moment; the long one is
//
//	go test -run TestHostilePeer -v -timeout 30m ./agent/hostile -attack 10m
//
// and its log ends in a table.
func TestHostilePeer(t *testing.T) {
	if testing.Short() {
		t.Skip("needs travelerd, which -short does not build")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	th := newTheatre(t, ctx, *attackBy)
	long := *attackFor >= time.Minute
	play := chosen(t)
	p := newPeople(th.target, th.peer)
	working, home := context.WithCancel(ctx)
	var crew sync.WaitGroup
	crew.Go(func() { p.work(working) })
	defer func() { home(); crew.Wait() }()

	quiet := max(time.Second, *attackFor/20)
	warm := th.scene(ctx, p, &catchUp, quiet).memory
	rows := []row{th.scene(ctx, p, nil, quiet)}
	rows[0].memory = rows[0].memory.most(warm)
	lines := len(th.journal())
	for _, a := range play {
		rows = append(rows, th.scene(ctx, p, &a, *attackFor/time.Duration(len(play))))
	}
	lines = len(th.journal()) - lines
	home()
	crew.Wait()
	t.Log("\n" + table(rows))
	th.judge(rows, lines, long)
	th.after(ctx)
}

// catchUp is no attack: a gateway comes back with what it sealed while it was away.
// It is what a target has to do at times, and what its memory is measured by.
var catchUp = attack{name: "catching up", rate: 10, volley: fullBlocks}

// chosen are the attacks to play, in order.
func chosen(t *testing.T) []attack {
	t.Helper()
	wanted, err := regexp.Compile(*onlyThese)
	ok(t, err)
	play := slices.DeleteFunc(slices.Concat(outsiders, doors, insiders), func(a attack) bool { return !wanted.MatchString(a.name) })
	if len(play) == 0 {
		t.Fatalf("no attack is named %s", *onlyThese)
	}
	return play
}

// row is what one attack came to.
type row struct {
	name        string
	inside      bool // with a key
	took        time.Duration
	sent, bytes int64
	asked       int
	memory      memory
	burnt       time.Duration // of the target's processors
	lines       int
	record
}

// scene plays an attack, none: a quiet time, and measures meanwhile.
func (th *theatre) scene(ctx context.Context, p *people, a *attack, long time.Duration) row {
	f := th.foe
	r := row{name: "quiet", took: long}
	sent, bytes, lines, burnt := f.sent, f.bytes, len(th.journal()), th.burnt()
	p.take()
	ctx, cancel := context.WithTimeout(ctx, long)
	defer cancel()
	var war sync.WaitGroup
	if a != nil {
		r.name = a.name
		r.inside = slices.ContainsFunc(insiders, func(i attack) bool { return i.name == a.name })
		war.Go(func() {
			if err := f.wage(ctx, *a); err != nil {
				th.t.Errorf("%s: %v", a.name, err)
			}
		})
	}
	r.memory = th.weigh(ctx)
	war.Wait()
	r.record, r.sent, r.bytes, r.lines = p.take(), f.sent-sent, f.bytes-bytes, len(th.journal())-lines
	r.burnt = th.burnt() - burnt
	f.mu.Lock()
	r.asked, f.asked = f.asked, 0
	f.mu.Unlock()
	return r
}

func table(rows []row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-24s %8s %8s %6s %6s %8s %8s %8s %8s %5s %7s %7s %5s %5s\n", "attack", "messages", "MB", "asks", "scans", "p50", "p99", "news p50", "news max", "CPU %", "RSS MB", "anon MB", "lines", "wrong")
	for _, r := range rows {
		fmt.Fprintf(&b, "%-24s %8d %8.1f %6d %6d %8v %8v %8v %8v %5d %7d %7d %5d %5d\n", r.name, r.sent, float64(r.bytes)/1e6, r.asked, r.scans,
			quantile(r.delays, 0.5), quantile(r.delays, 0.99), quantile(r.news, 0.5), quantile(r.news, 1), 100*r.burnt/r.took, r.memory.resident>>10, r.memory.anonymous>>10, r.lines, len(r.wrongs))
	}
	return b.String()
}

// judge holds the attacks to what they may cost. Times are told and not judged.
func (th *theatre) judge(rows []row, lines int, long bool) {
	t := th.t
	base, most, outside, factor := rows[0].memory, memory{}, memory{}, memoryShort
	if long {
		factor = memoryLong
	}
	var quiet, attacked []time.Duration
	var took time.Duration
	scans := 0
	for i, r := range rows {
		for _, w := range r.wrongs {
			t.Errorf("%s: %s", r.name, w)
		}
		if i == 0 {
			quiet = r.delays
			continue
		}
		attacked, took, scans = append(attacked, r.delays...), took+r.took, scans+r.scans
		most = most.most(r.memory)
		if !r.inside {
			outside = outside.most(r.memory)
		}
	}
	if allowed := max(linesAtOnce, int(linesInTen*took/(10*time.Minute))); lines > allowed {
		t.Errorf("%d lines in the target's journal, at most %d in %v", lines, allowed, took)
	}
	for _, m := range []struct {
		what     string
		is, base int64
		judged   bool
	}{
		{"anonymous", most.anonymous, base.anonymous, true},
		{"resident, without a key,", outside.resident, base.resident, true},
		{"resident, with a key,", most.resident, base.resident, false}, // the store that it fills is mapped
	} {
		t.Logf("%s memory: %d KiB at most, %d KiB to work and to catch up", m.what, m.is, m.base)
		if m.judged && float64(m.is) > factor*float64(m.base) {
			t.Errorf("%s memory grew to %d KiB from %d, more than %v times", m.what, m.is, m.base, factor)
		}
	}
	for _, row := range th.journal() {
		if strings.Fields(row)[1] == "error" {
			t.Errorf("the target's journal: %s", row)
		}
	}
	if scans == 0 {
		t.Error("nobody scanned anything")
	}
	t.Logf("scan to light: quiet p50 %v, p99 %v; attacked p50 %v, p99 %v", quantile(quiet, 0.5), quantile(quiet, 0.99), quantile(attacked, 0.5), quantile(attacked, 0.99))
}

// after waits for both replicas to be equal, and checks them.
func (th *theatre) after(ctx context.Context) {
	t := th.t
	began := time.Now()
	const limit = 5 * time.Minute // lies about a chain are asked for until they are given up
	for !th.equal(ctx) {
		if time.Since(began) > limit {
			t.Errorf("the replicas are not equal after %v:%s", limit, th.standing(ctx))
			break
		}
		pause(ctx, 200*time.Millisecond)
	}
	t.Logf("equal %v after the last attack:%s", time.Since(began).Round(100*time.Millisecond), th.standing(ctx))
	th.ask(ctx, func(d agent.Desk) error {
		evidence, err := d.Evidence(ctx)
		for _, e := range evidence {
			if e.Author != insider {
				t.Errorf("evidence names %s", e.Author)
			}
		}
		return err
	})
	if lost, err := th.line.Missing(ctx); err != nil || len(lost) > 0 {
		t.Errorf("lights without a record elsewhere: %v %v", lost, err)
	}
	ok(t, th.line.Stop())
	for _, fault := range th.line.Verify(ctx) {
		t.Errorf("verify: %s", fault)
	}
	for _, trouble := range th.line.Troubles() {
		t.Errorf("trouble: %s", trouble)
	}
}

func (th *theatre) equal(ctx context.Context) bool {
	a, err := th.target.Status(ctx)
	b, other := th.peer.Status(ctx)
	return err == nil && other == nil && a.Views == b.Views && a.Blocks == b.Blocks
}

func (th *theatre) standing(ctx context.Context) string {
	var b strings.Builder
	for _, s := range th.line.Stations() {
		st, err := s.Status(ctx)
		fmt.Fprintf(&b, "\n%s: %d blocks, %d transactions, %d items, %d confirmed, lag %d, views %.8s %v", s.Gateway, st.Blocks, st.Transactions, st.Items, st.Confirmed, st.Lag, st.Views, err)
	}
	return b.String()
}
