package agent

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/drivers"
	"traveler.example/drivers/emulate"
	"traveler.example/drivers/pn532"
	"traveler.example/ledger"
)

// TestTwoReadersAtOneStation has an entrance and an exit, each a reader of its own:
// the entrance accepts and never completes, the exit completes and never accepts,
// and the loss of one is said while the other goes on.
func TestTwoReadersAtOneStation(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		doors := map[string]*emulate.PN532{}
		hands := map[string]func() error{}
		var readers []drivers.Reader
		for _, name := range []string{"in", "out"} {
			doors[name] = emulate.NewPN532(emulate.PN532Config{Paced: true})
			open, rig := plugged(t, doors[name])
			reader, err := pn532.New(pn532.Config{Name: name, Port: "/dev/" + name, Open: open})
			must(t, err)
			readers, hands[name] = append(readers, reader), rig.Unplug
		}
		b := p.gateway("drill-1")
		b.online(func(c *Config, parts *Parts) {
			c.Machine.Gates = map[string]ledger.Gate{"in": ledger.GateIn, "out": ledger.GateOut}
			parts.Readers = readers
		})
		b.run()
		b.bus.connect("mqtt://one")
		taken(t, p, b)
		time.Sleep(3 * time.Second)
		scan := func(door, want string) {
			t.Helper()
			must(t, doors[door].Present(tagA, ""))
			time.Sleep(time.Second)
			synctest.Wait()
			if got := b.light.last().Text; !strings.HasPrefix(got, want) {
				t.Errorf("at %q the light shows %q, want %s", door, got, want)
			}
			must(t, doors[door].Remove(tagA))
			time.Sleep(2 * time.Second)
		}
		scan("out", "WAIT")
		scan("in", "ACCEPTED")
		scan("in", "ACCEPTED (already)")
		b.journal.times(0, journal.ScanCompleted)
		must(t, hands["in"]())
		time.Sleep(2 * time.Second)
		if got := b.light.last().Text; !strings.HasPrefix(got, "READER DOWN in: it was unplugged") {
			t.Errorf("the light shows %q", got)
		}
		scan("out", "COMPLETED")
		b.journal.times(1, journal.ScanCompleted, journal.ReaderDown)
		if got := b.light.last().Aspect; got != drivers.AspectFault {
			t.Errorf("with one reader lost the light rests at %v", got)
		}
	})
}

// taken has an item with tagA taken in elsewhere, and known at b.
func taken(t *testing.T, p *plant, b *board) {
	t.Helper()
	order := drilling("WO-1")
	otx := b.order(order)
	in := p.replica("intake", nil)
	_, err := in.Ingest(context.Background(), chain(t, b.replica, b.name)...)
	must(t, err)
	p.seal("intake", in, ledger.Tx{Body: ledger.Intake{
		Station: "INTAKE-1", Label: "L-1", Tags: []string{tagA}, Order: otx.ID(), Product: "BRACKET", Options: ledger.FirstOptions(order),
	}})
	_, err = b.replica.Ingest(context.Background(), chain(t, in, "intake")...)
	must(t, err)
}
