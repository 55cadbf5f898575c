package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/agent/station"
	"traveler.example/drivers"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// bubble runs a test in virtual time, on a plant of its own.
func bubble(t *testing.T, f func(t *testing.T, p *plant)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newPlant(t)) })
}

const tagA, tagB = "04A1B2C3D4E580", "04A1B2C3D4E680"

func TestScanGoesThroughTheLine(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("intake").run()
		b.shows(tagA, "WAIT")
		b.order(drilling("WO-1"))
		b.shows(tagA, "TAKEN IN")
		b.shows(tagA, "ALREADY DONE")
		if got := itemOf(t, b.replica, tagA); got.Label != tagA || got.Product != "BRACKET" {
			t.Errorf("item %+v", got)
		}
		if last := b.light.last(); last.Aspect != drivers.AspectIdle || last.Text != "" {
			t.Errorf("the tag has left and the light shows %+v", last)
		}
		b.journal.times(1, journal.ScanTakenIn, journal.OrderReceived, journal.ScanWait)
	})
}

// TestNothingIsShownThatIsNotDurable takes the disk's space away between the
// gateway's look at it and the scan: the append fails, and the light says so.
func TestNothingIsShownThatIsNotDurable(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("intake").run()
		b.order(drilling("WO-1"))
		time.Sleep(300 * time.Millisecond) // between two looks
		b.free.Store(0)
		b.shows(tagA, "FAULT")
		for _, s := range b.light.all() {
			if s.Aspect == drivers.AspectGreen {
				t.Errorf("green while nothing is recorded: %+v", s)
			}
		}
		b.journal.times(0, journal.ScanTakenIn, journal.AppendFailed)
		time.Sleep(2 * time.Second)
		b.journal.times(1, journal.ReplicaFull)
		if s, err := b.Brief(); err != nil || !strings.Contains(s.Problem, "disk is too full") || !strings.HasPrefix(s.Words(), "FAULT: ") {
			t.Errorf("status %+v, %v", s, err)
		}
		b.shows(tagB, "FAULT")
		if n := len(b.light.all()); n > 0 && b.light.last().Aspect != drivers.AspectFault {
			t.Errorf("an idle light on a full disk: %+v", b.light.last())
		}
		b.free.Store(1 << 40)
		time.Sleep(2 * time.Second)
		b.journal.times(1, journal.ReplicaFull, journal.ReplicaSpaceBack)
		b.shows(tagA, "TAKEN IN")
		if s, err := b.Brief(); err != nil || s.Problem != "" {
			t.Errorf("status %+v, %v", s, err)
		}
	})
}

// TestAFullDiskResolvesItself leaves the tag on the reader until there is space.
func TestAFullDiskResolvesItself(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("intake").run()
		b.order(drilling("WO-1"))
		b.free.Store(0)
		time.Sleep(1500 * time.Millisecond)
		if got := b.put(tagA); !strings.HasPrefix(got, "FAULT") {
			t.Fatalf("shows %q", got)
		}
		b.free.Store(1 << 40)
		time.Sleep(2 * time.Second)
		if got := b.light.last(); !strings.HasPrefix(got.Text, "TAKEN IN") || got.Aspect != drivers.AspectGreen {
			t.Errorf("shows %+v", got)
		}
	})
}

// TestGuard has a tag rebound between a decision and its append: nothing of the
// decision may be sealed.
func TestGuard(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("intake").run()
		order := b.order(drilling("WO-1"))
		b.shows(tagA, "TAKEN IN")
		it := itemOf(t, b.replica, tagA)
		intake := ledger.Proposal{Body: ledger.Intake{Station: "INTAKE-1", Label: "L-2", Tags: []string{tagB}, Order: order.ID(), Product: "BRACKET", Options: ledger.FirstOptions(drilling("WO-1"))}}
		tests := []struct {
			name string
			tag  string
			open []ledger.ItemID
			want station.Outcome
		}{
			{"decided when another item had the tag", tagB, []ledger.ItemID{it.ID}, station.Stale},
			{"decided when nothing had the tag", tagA, nil, station.Stale},
			{"as it was", tagB, nil, station.Durable},
		}
		for i, tt := range tests {
			got := b.station.append(context.Background(), station.Append{Serial: i, Tag: tt.tag, Open: tt.open, Proposals: []ledger.Proposal{intake}})
			if s, ok := got.(station.Sealed); !ok || s.Outcome != tt.want || s.Serial != i || (s.Outcome == station.Stale) != (s.Detail != "") {
				t.Errorf("%s: %+v, want %d", tt.name, got, tt.want)
			}
		}
	})
}

// TestARebindingIsDecidedAnew binds the tag of an item to another while a scan
// of it is decided: the station looks again and says what holds now.
func TestARebindingIsDecidedAnew(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("intake").run()
		b.order(drilling("WO-1"))
		b.shows(tagA, "TAKEN IN")
		a := itemOf(t, b.replica, tagA)
		// Appends of others that come first see to it that the decision is stale.
		b.reader.events <- drivers.Event{Kind: drivers.Arrived, Reader: "bench", Tag: drivers.Tag{ID: tagB}}
		p.append(b.replica, p.signed("quinn", ledger.Tx{Item: a.ID, Body: ledger.Bind{Tags: []string{tagA, tagB}}}))
		synctest.Wait()
		var open []ledger.Item
		must(t, b.replica.Read(func(v *replica.View) (err error) {
			open, _, err = v.Tag(tagB)
			return err
		}))
		got := b.light.last().Text
		switch len(open) {
		case 1: // the binding came first: the item has the tag
			if open[0].ID != a.ID || !strings.HasPrefix(got, "ALREADY DONE") && !strings.HasPrefix(got, "TAG IN USE") {
				t.Errorf("shows %q for %v", got, open)
			}
		case 2: // the scan came first
			if !strings.HasPrefix(got, "TAKEN IN") {
				t.Errorf("shows %q", got)
			}
		default:
			t.Errorf("%d items have the tag", len(open))
		}
	})
}

func TestAReaderLostIsSaidOnce(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("intake").run()
		say := func(k drivers.Kind, err error) {
			b.reader.events <- drivers.Event{Kind: k, Reader: "bench", Err: err}
			synctest.Wait()
		}
		b.journal.times(0, journal.ReaderUp)
		for _, err := range []error{drivers.ErrUnplugged, drivers.ErrBusy, drivers.ErrSilent} {
			say(drivers.Down, fmt.Errorf("bench: %w", err))
		}
		b.journal.times(1, journal.ReaderDown, journal.PortBusy)
		if last := b.light.last(); last.Aspect != drivers.AspectFault || !strings.Contains(last.Text, "READER DOWN bench: it was unplugged") {
			t.Errorf("shows %+v", last)
		}
		if s, err := b.Brief(); err != nil || len(s.Readers) != 1 || s.Readers[0].Up || !strings.Contains(s.Words(), "reader bench DOWN") {
			t.Errorf("status %+v, %v", s, err)
		}
		say(drivers.Up, nil)
		say(drivers.Up, nil)
		b.journal.times(1, journal.ReaderUp, journal.PortFree)
		if s, err := b.Brief(); err != nil || !s.Readers[0].Up || s.Readers[0].Model != "fake 1.0" || s.Readers[0].Port != "port-bench" {
			t.Errorf("status %+v, %v", s, err)
		}
		say(drivers.Fault, errors.New("a frame was broken"))
		say(drivers.Fault, errors.New("a frame was broken"))
		b.journal.times(1, journal.ReaderFault)
		b.reader.events <- drivers.Event{Kind: drivers.Present, Reader: "bench", Tag: drivers.Tag{ID: tagA}}
		synctest.Wait()
		if last := b.light.last(); !strings.HasPrefix(last.Text, "LIFT AND SCAN AGAIN") {
			t.Errorf("shows %+v", last)
		}
	})
}

func TestPlainWords(t *testing.T) {
	for want, err := range map[string]error{
		"another program uses its port": drivers.ErrBusy, "it was unplugged": drivers.ErrUnplugged, "it does not answer": drivers.ErrSilent,
		"it is down": nil, "odd": errors.New("odd"),
	} {
		if got := plain(err); got != want {
			t.Errorf("%v: %q", err, got)
		}
	}
	for want, err := range map[string]error{
		"the disk is full": replica.ErrFull, "read back": replica.ErrReadBack, "damaged": replica.ErrDamaged, "odd": errors.New("odd"),
	} {
		if got := storageWords(err); !strings.Contains(got, want) {
			t.Errorf("%v: %q", err, got)
		}
	}
}

// weighed is an order whose last operation wants a weight of 12 g and an item in
// work at it.
func weighed(t *testing.T, p *plant, weigh func(context.Context) (drivers.Weight, error)) *board {
	t.Helper()
	b := p.gateway("pack")
	scale := &fakeScale{fakeReader: *newReader("scale"), weigh: weigh}
	b.scale = scale
	b.online(func(c *Config, parts *Parts) {
		c.Machine.Scale, parts.Scale = true, scale
		c.Weighs = Weighing{Name: "scale", Deadline: 3 * time.Second, EmptyBelow: 500, Capacity: 1_000_000}
	})
	b.run()
	b.bus.connect("mqtt://one")
	order := ledger.Order{ID: "WO-1", Product: "BOX", Routing: []ledger.Operation{{
		ID: "10", Task: "pack", Place: "PACK-1",
		Limits: []ledger.Limit{{Name: "weight", Min: 11_000, Max: 13_000, Exponent: -3, Unit: "g", OnFail: ledger.SetAside}},
	}}}
	otx := b.order(order)
	in := p.replica("intake", nil)
	_, err := in.Ingest(context.Background(), chain(t, b.replica, "pack")...)
	must(t, err)
	p.seal("intake", in, ledger.Tx{Body: ledger.Intake{
		Station: "INTAKE-1", Label: "L-1", Tags: []string{tagA}, Order: otx.ID(), Product: "BOX", Options: ledger.FirstOptions(order),
	}})
	_, err = b.replica.Ingest(context.Background(), chain(t, in, "intake")...)
	must(t, err)
	return b
}

// chain is all blocks of an author that a replica holds.
func chain(t testing.TB, r *replica.Replica, author string) (out []replica.Object) {
	t.Helper()
	must(t, r.Read(func(v *replica.View) error {
		for b, err := range v.Chain(keyID(author), 0) {
			if err != nil {
				return err
			}
			out = append(out, b.UnverifiedBlock)
		}
		return nil
	}))
	return out
}

func TestWeighing(t *testing.T) {
	answers := []struct {
		name   string
		weight drivers.Weight
		err    error
		want   string // on the light
		logged int
	}{
		{"right", 12_000, nil, "ACCEPTED", 0},
		{"outside the limit", 14_000, nil, "SET ASIDE", 0},
		{"empty pan", 499, nil, "the pan is empty: 499 mg", 0},
		{"over its capacity", 1_000_001, nil, "1.000001 kg is more than the scale can weigh", 0},
		{"unstable", 0, fmt.Errorf("scale: %w", drivers.ErrUnstable), "the weight is not stable", 1},
		{"silent", 0, drivers.ErrSilent, "the scale does not answer", 1},
		{"down", 0, drivers.ErrDown, "the scale does not answer", 1},
		{"overload", 0, drivers.ErrOverload, "the scale is overloaded", 1},
		{"nonsense", 0, drivers.ErrUnit, "unit of weight is not supported", 1},
	}
	for _, tt := range answers {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, p *plant) {
				b := weighed(t, p, func(context.Context) (drivers.Weight, error) { return tt.weight, tt.err })
				if got := b.put(tagA); !strings.Contains(got, tt.want) {
					t.Errorf("shows %q, want %s", got, tt.want)
				}
				b.journal.times(tt.logged, journal.ScaleRefused)
			})
		})
	}
}

// TestWeighingLate has a scale that never answers: others are served meanwhile,
// and the deadline ends the wait.
func TestWeighingLate(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := weighed(t, p, func(ctx context.Context) (drivers.Weight, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		})
		began := time.Now()
		if got := b.put(tagA); !strings.Contains(got, "being weighed") {
			t.Errorf("shows %q", got)
		}
		if !b.Alive(time.Second) {
			t.Error("the scale holds up the station")
		}
		time.Sleep(4 * time.Second)
		if got := b.light.last().Text; !strings.Contains(got, "not stable") {
			t.Errorf("after %v: %q", time.Since(began), got)
		}
	})
}

// TestEndsWhileEverythingHangs ends in order while the scale, the light and the
// broker hang, and within the five seconds that it is given.
func TestEndsWhileEverythingHangs(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := weighed(t, p, func(ctx context.Context) (drivers.Weight, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		})
		b.put(tagA)
		b.light.set(nil, true)
		b.bus.hold(true)
		if took, err := b.stop(); took > 5*time.Second || err != nil {
			t.Errorf("took %v: %v", took, err)
		}
		b.journal.times(0, journal.ScaleRefused) // nothing is wrong with the scale
	})
}

func TestScaleEvents(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := weighed(t, p, nil)
		for _, k := range []drivers.Kind{drivers.Down, drivers.Down, drivers.Up, drivers.Up, drivers.Fault, drivers.Fault} {
			b.scale.events <- drivers.Event{Kind: k, Reader: "scale", Err: drivers.ErrSilent}
			synctest.Wait()
		}
		b.journal.times(1, journal.ScaleFault, journal.ScaleBack, journal.ScaleRefused)
		b.journal.times(0, journal.ReaderDown, journal.ReaderUp)
		if s, err := b.Brief(); err != nil || s.Scale == nil || !s.Scale.Up || s.Scale.Name != "scale" || len(s.Readers) != 1 {
			t.Errorf("status %+v, %v", s, err)
		}
	})
}

// TestALampThatHangs does not keep a scan from being recorded, nor the next one.
func TestALampThatHangs(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("intake").run()
		b.order(drilling("WO-1"))
		b.light.set(nil, true)
		b.put(tagA)
		time.Sleep(3 * time.Second)
		itemOf(t, b.replica, tagA)
		b.lift(tagA)
		time.Sleep(3 * time.Second)
		b.light.set(nil, false)
		b.shows(tagB, "TAKEN IN")
		b.light.set(errors.New("no such lamp"), false)
		b.scan(tagA)
		b.light.set(nil, false)
		b.scan(tagA)
		b.journal.times(2, journal.LightFault, journal.LightBack)
	})
}

// TestAFullInbox holds up whoever posts, and nobody for longer than the gateway
// lives.
func TestAFullInbox(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("intake")
		ctx, cancel := context.WithCancel(context.Background())
		posted := make(chan int)
		go func() {
			n := 0
			for ; ctx.Err() == nil; n++ {
				b.station.post(ctx, station.Changed{})
			}
			posted <- n
		}()
		synctest.Wait()
		cancel()
		if n := <-posted; n != cap(b.station.inbox)+1 {
			t.Errorf("%d posted to an inbox of %d", n, cap(b.station.inbox))
		}
		b.run() // and takes them all
		if len(b.station.inbox) != 0 {
			t.Error("the inbox is not emptied")
		}
	})
}

func TestABadgeIsNoItem(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("intake", func(c *Config, _ *Parts) {
			c.Machine.Badges = map[string]station.Badge{"0BAD6E": {Name: "olga"}, "0BAD6F": {Name: "nobody"}}
		}).run()
		b.order(drilling("WO-1"))
		b.shows("0BAD6E", "ON SHIFT olga")
		if s, err := b.Brief(); err != nil || len(s.Shift) != 1 || s.Shift[0] != "olga" {
			t.Errorf("status %+v, %v", s, err)
		}
		b.shows("0BAD6E", "OFF SHIFT olga")
		b.shows("0BAD6F", "BADGE REFUSED nobody")
		b.journal.times(1, journal.BadgeLogin, journal.BadgeLogout, journal.BadgeRefused)
	})
}

// TestAClosedReplicaIsAFault shows no answer where none can be had.
func TestAClosedReplicaIsAFault(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("intake").run()
		must(t, b.replica.Close())
		b.shows(tagA, "FAULT nothing can be looked up")
		if last := b.light.last(); last.Aspect != drivers.AspectFault {
			t.Errorf("shows %+v", last)
		}
	})
}

func TestDamageIsSaidWithItsPlace(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("intake")
		b.station.damaged(context.Background(), replica.ErrFull)
		b.journal.times(0, journal.ReplicaDamaged)
		for range 3 {
			b.station.damaged(context.Background(), fmt.Errorf("reading: %w", &replica.DamageError{Author: keyID("pack"), Height: 7, Detail: "a hash differs"}))
		}
		b.journal.times(1, journal.ReplicaDamaged)
		if e := b.journal.events(journal.ReplicaDamaged)[0]; !strings.Contains(e.fields[journal.KeyBlock], "/7") {
			t.Errorf("%+v", e)
		}
	})
}
