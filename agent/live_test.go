package agent

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/drivers"
	"traveler.example/ledger"
)

func TestSubmit(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("intake").run()
		d, ctx := b.Desk(), context.Background()
		order := p.signed("paula", ledger.Tx{Body: benchOrder("WO-1")})
		receipt, err := d.Submit(ctx, order.Raw())
		if err != nil || receipt.Tx != order.ID() || receipt.Height != 1 || receipt.Status != "Sealed" {
			t.Fatalf("%+v, %v", receipt, err)
		}
		if again, err := d.Submit(ctx, order.Raw()); err != nil || again != receipt {
			t.Errorf("submitted twice: %+v, %v", again, err)
		}
		item := (&book{t, p, b.replica}).intake(order, "L-1", tagA).ID()
		foreign, err := ledger.SignTx(ledger.NetworkID{1}, ledger.Tx{Time: 1, Body: benchOrder("WO-9")}, privateKey("paula"))
		must(t, err)
		broken := slices.Clone(order.Raw())
		broken[len(broken)-1] ^= 1
		unsigned, err := ledger.NewTx(p.genesis.Network(), ledger.Tx{Sender: keyID("paula"), Time: 1, Body: benchOrder("WO-9")})
		must(t, err)
		misroute, err := ledger.NewTx(p.genesis.Network(), ledger.Tx{Sender: keyID("intake"), Time: 1, Item: item, Body: ledger.Misroute{Station: "INTAKE-1"}})
		must(t, err)
		replaces := benchOrder("WO-9")
		replaces.Replaces = ledger.TxID{9}
		scrap := ledger.Disposition{Ruling: ledger.Scrap, Reason: "bent"}
		on := func(item ledger.ItemID, after ledger.TxID) ledger.Tx {
			return ledger.Tx{Item: item, After: []ledger.TxID{after}, Body: scrap}
		}
		tests := []struct {
			name string
			raw  []byte
			want error
		}{
			{"nothing", nil, ErrRefused},
			{"bytes of no transaction", []byte("nonsense"), ErrRefused},
			{"cut short", order.Raw()[:40], ErrRefused},
			{"larger than any", make([]byte, ledger.MaxTx+1), ErrRefused},
			{"a signature that does not fit", broken, ErrNotPermitted},
			{"signed for another network", foreign.Raw(), ErrNotPermitted},
			{"no signature", unsigned.Raw(), ErrNotPermitted},
			{"a gateway's own kind", misroute.Raw(), ErrNotPermitted},
			{"an order of quality", p.signed("quinn", ledger.Tx{Body: benchOrder("WO-9")}).Raw(), ErrNotPermitted},
			{"a ruling of a planner", p.signed("paula", on(item, item)).Raw(), ErrNotPermitted},
			{"a stranger", p.signed("nobody", ledger.Tx{Body: benchOrder("WO-9")}).Raw(), ErrNotPermitted},
			{"it rests on what is not here", p.signed("paula", ledger.Tx{Body: replaces}).Raw(), ErrNotFound},
			{"of an item that is not here", p.signed("quinn", on(ledger.ItemID{7}, ledger.TxID{7})).Raw(), ErrNotFound},
			{"a ruling on a head", p.signed("quinn", on(item, item)).Raw(), nil},
			{"a ruling on a head of the past", p.signed("quinn", ledger.Tx{Time: 9, Item: item, After: []ledger.TxID{item}, Body: scrap}).Raw(), ErrConflict},
		}
		height := func() uint64 { head, _ := b.replica.Own(); return head.Height }
		for _, tt := range tests {
			before := height()
			_, err := d.Submit(ctx, tt.raw)
			if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
			}
			if (height() == before) != (tt.want != nil) {
				t.Errorf("%s: height %d after %d", tt.name, height(), before)
			}
		}
		b.journal.times(1, journal.OrderReceived)
	})
}

// TestSubmitWaitsForTheStartGate: nothing is sealed before peers were asked for
// the own chain, and whoever asks for it may stop waiting.
func TestSubmitWaitsForTheStartGate(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("intake")
		order := p.signed("paula", ledger.Tx{Body: benchOrder("WO-1")})
		impatient, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := b.Desk().Submit(impatient, order.Raw()); !errors.Is(err, ErrUnreachable) {
			t.Errorf("sealed before the start: %v", err)
		}
		answered := make(chan error)
		go func() {
			_, err := b.Desk().Submit(context.Background(), order.Raw())
			answered <- err
		}()
		synctest.Wait()
		select {
		case err := <-answered:
			t.Errorf("answered before the start: %v", err)
		default:
		}
		b.run()
		if err := <-answered; err != nil {
			t.Error(err)
		}
	})
}

// TestSubmitToAGatewayThatEnds answers also whom no gate opens for.
func TestSubmitToAGatewayThatEnds(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("intake")
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- b.Run(ctx) }()
		answered := make(chan error)
		go func() {
			_, err := b.Desk().Submit(context.Background(), p.signed("paula", ledger.Tx{Body: benchOrder("WO-1")}).Raw())
			answered <- err
		}()
		synctest.Wait()
		cancel()
		must(t, <-ended)
		if err := <-answered; !errors.Is(err, ErrUnreachable) {
			t.Errorf("answered %v", err)
		}
		if err := b.Desk().Operate(context.Background(), OperatorWord{Cancel: true}); !errors.Is(err, ErrUnreachable) {
			t.Errorf("a word to a station that has ended: %v", err)
		}
	})
}

// TestWhoStopsWaitingLosesNothing has a client go away, and a gateway end, while a
// block is signed: what is sealed is known to be, and published.
func TestWhoStopsWaitingLosesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		gs := together(p, "intake", "pack")
		p.signing.Store(int64(time.Second))
		ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
		defer cancel()
		order := p.signed("paula", ledger.Tx{Body: drilling("WO-1")})
		if receipt, err := gs[0].Desk().Submit(ctx, order.Raw()); err != nil || receipt.Height != 1 {
			t.Errorf("sealed, and told %+v, %v", receipt, err)
		}
		time.Sleep(100 * time.Millisecond) // no status has told of it yet
		if n := len(chain(t, gs[1].replica, "intake")); n != 1 {
			t.Errorf("a peer has %d blocks, want 1", n)
		}
		gs[0].reader.events <- drivers.Event{Kind: drivers.Arrived, Reader: "bench", Tag: drivers.Tag{ID: tagA}}
		time.Sleep(500 * time.Millisecond)
		_, err := gs[0].stop()
		must(t, err)
		itemOf(t, gs[0].replica, tagA)
		all := gs[0].light.all()
		if n := len(all); n < 2 || !strings.HasPrefix(all[n-2].Text, "TAKEN IN") {
			t.Errorf("recorded at the very end, and the light has shown %+v", all)
		}
	})
}

func TestWithdraw(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("intake").run()
		d, ctx := b.Desk(), context.Background()
		book := &book{t, p, b.replica}
		order := book.order(benchOrder("WO-1"))
		item := book.intake(order, "L-1", tagA).ID()
		state := func() string {
			h, err := d.Rule(ctx, "L-1")
			must(t, err)
			return h.State
		}
		if _, err := d.Withdraw(ctx, "L-1", "an intake stays"); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "not the report or acceptance") {
			t.Errorf("an intake withdrawn: %v", err)
		}
		accepted := book.accept(item, item)
		book.report(item, accepted.ID(), ledger.Report{})
		receipt, err := d.Withdraw(ctx, "L-1", "not done yet")
		if err != nil || receipt.Status != "Sealed" || state() != "in work (drill)" {
			t.Errorf("the report: %+v, %v, %s", receipt, err, state())
		}
		if doc, err := d.Transaction(ctx, receipt.Tx.String()); err != nil || doc.Body.(ledger.Withdraw).Reason != "not done yet" {
			t.Errorf("%+v, %v", doc, err)
		}
		for name, c := range map[string]struct {
			item, reason string
			want         error
		}{
			"nothing":                   {"nothing", "", ErrNotFound},
			"a reason longer than fits": {"L-1", strings.Repeat("x", 300), ErrRefused},
		} {
			if _, err := d.Withdraw(ctx, c.item, c.reason); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
	})
}

// TestWithdrawIsItsAuthors: what another gateway said last, only that takes back.
func TestWithdrawIsItsAuthors(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		gs := together(p, "intake", "drill-1")
		gs[0].order(drilling("WO-1"))
		gs[0].shows(tagA, "TAKEN IN")
		time.Sleep(time.Second)
		gs[1].shows(tagA, "ACCEPTED")
		time.Sleep(time.Second)
		if _, err := gs[0].Desk().Withdraw(context.Background(), tagA, "mine"); !errors.Is(err, ErrNotPermitted) || !strings.Contains(err.Error(), "drill-1") {
			t.Errorf("withdrawn by another: %v", err)
		}
		if _, err := gs[1].Desk().Withdraw(context.Background(), tagA, "wrong piece"); err != nil {
			t.Errorf("not withdrawn by its author: %v", err)
		}
		time.Sleep(time.Second)
		if h, err := gs[0].Desk().Rule(context.Background(), tagA); err != nil || h.State != "expected" {
			t.Errorf("%+v, %v", h, err)
		}
	})
}

// TestWithdrawKeepsOneOfTwo has a gateway rule on a conflict that is all its own:
// its board was copied, and both copies went on.
func TestWithdrawKeepsOneOfTwo(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("intake").run()
		book1 := &book{t, p, b.replica}
		item := book1.intake(book1.order(benchOrder("WO-1")), "L-1", tagA).ID()
		book2 := newBook(t, p)
		_, err := book2.r.Ingest(context.Background(), chain(t, b.replica, "intake")...)
		must(t, err)
		book1.accept(item, item)
		time.Sleep(time.Second)
		book2.accept(item, item)
		_, err = b.replica.Ingest(context.Background(), chain(t, book2.r, "intake")...)
		must(t, err)
		before, err := b.Desk().Rule(context.Background(), "L-1")
		must(t, err)
		if before.State != "in conflict" {
			t.Fatalf("%+v", before)
		}
		receipt, err := b.Desk().Withdraw(context.Background(), "L-1", "one of them")
		must(t, err)
		doc, err := b.Desk().Transaction(context.Background(), receipt.Tx.String())
		must(t, err)
		if w := doc.Body.(ledger.Withdraw); w.Keeps != before.Heads[0] || !w.Target.IsZero() {
			t.Errorf("%+v", w)
		}
		if after, err := b.Desk().Rule(context.Background(), "L-1"); err != nil || after.State != "in work (drill)" {
			t.Errorf("%+v, %v", after, err)
		}
	})
}

func TestEnrol(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("intake").run()
		d, ctx := b.Desk(), context.Background()
		first, second := p.state(enrolled("one", ledger.RoleGateway)), p.state(enrolled("two", ledger.RoleGateway))
		forged, err := ledger.SignStatement(p.genesis.Network(), ledger.Statement{
			BuildsOn: []ledger.Hash{p.statements[0].Hash()}, Time: 1, Changes: []ledger.Change{enrolled("three", ledger.RoleAdmin)},
		}, privateKey("mallory"))
		must(t, err)
		for _, tt := range []struct {
			name string
			raw  []byte
			want error
		}{
			{"nothing", nil, ErrRefused},
			{"nonsense", []byte("nonsense"), ErrRefused},
			{"signed by a stranger", forged.Raw(), ErrRefused},
			{"before what it builds on", second.Raw(), ErrConflict},
			{"in order", first.Raw(), nil},
			{"and then the next", second.Raw(), nil},
			{"once more", second.Raw(), nil},
		} {
			if err := d.Enrol(ctx, tt.raw); !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
			}
		}
		synctest.Wait()
		b.journal.times(2, journal.GatewayJoined)
		doc, err := d.Roster(ctx)
		if err != nil || doc.Statements != 3 || doc.Threshold != 1 || !slices.Equal(doc.Admins, []string{"ada"}) {
			t.Errorf("%+v, %v", doc, err)
		}
	})
}

// TestEnrolledAtOnce has the station serve the roster that was handed in, without
// another scan.
func TestEnrolledAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("pack", func(c *Config, _ *Parts) {
			c.Station.ID, c.Station.Mode = "INTAKE-2", ledger.ModeIntake
		}).run()
		b.order(benchOrder("WO-1"))
		if got := b.put(tagA); !strings.HasPrefix(got, "WAIT") {
			t.Fatalf("shows %q", got)
		}
		s := p.state(ledger.Change{Kind: ledger.ChangeAssign, Subject: keyID("pack"), Station: "INTAKE-2", Intake: 1})
		must(t, b.Desk().Enrol(context.Background(), s.Raw()))
		synctest.Wait()
		if got := b.light.last().Text; !strings.HasPrefix(got, "TAKEN IN") {
			t.Errorf("shows %q", got)
		}
	})
}

func TestAGatewayThatMayNotSeal(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("stranger").run()
		_, err := b.Desk().Submit(context.Background(), p.signed("paula", ledger.Tx{Body: benchOrder("WO-1")}).Raw())
		if !errors.Is(err, ErrNotPermitted) {
			t.Errorf("sealed without the roster's leave: %v", err)
		}
		b.journal.times(1, journal.StationUnassigned)
	})
}
