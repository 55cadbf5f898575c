package agent

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"traveler.example/drivers"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// newFive founds a network of five gateways, three of them witnesses. The one that
// scans is none, so that a majority is two others.
func newFive(b *testing.B) *plant {
	g, err := ledger.NewGenesis(ledger.Genesis{
		Name: "five", Time: 1_700_000_000_000, Threshold: 1, Recovery: publicKey("recovery"),
		Admins: []ledger.Admin{{Name: "ada", Key: publicKey("ada")}},
	})
	must(b, err)
	p := &plant{t: b, genesis: g}
	changes := []ledger.Change{
		enrolled("paula", ledger.RolePlanner), enrolled("intake", ledger.RoleGateway), enrolled("store", ledger.RoleGateway),
		{Kind: ledger.ChangeAssign, Subject: keyID("intake"), Station: "INTAKE-1", Intake: 1},
	}
	for _, name := range []string{"drill-1", "drill-2", "pack"} {
		changes = append(changes, enrolled(name, ledger.RoleGateway|ledger.RoleWitness))
	}
	p.state(changes...)
	return p
}

// until waits for commits of a replica until its view says so.
func until(r *replica.Replica, done func(v *replica.View) (bool, error)) error {
	changes, end := r.Changes()
	defer end()
	for ok := false; ; {
		err := r.Read(func(v *replica.View) (err error) {
			ok, err = done(v)
			return err
		})
		if ok || err != nil {
			return err
		}
		select {
		case <-changes:
		case <-time.After(time.Minute):
			return errors.New("it never came")
		}
	}
}

// BenchmarkFigureI_ScanToPeer lays new items on a reader of a quiet line of five
// gateways, three seconds apart, and measures from the reader's event to the block
// being durable at another gateway, and to its confirmation by the majority of
// three witnesses being known where it was scanned. All five share this machine
// and its disk. The limit, after every scan: one message of the block's size to
// the broker and back, and one commit of a bare Badger of what a scan writes, with
// one signature. stored-ratio and confirmed-ratio are of the medians; light-ratio
// is how far the scan's own light is from the limit.
func BenchmarkFigureI_ScanToPeer(b *testing.B) {
	scans := max(b.N, figureSize(7, 100))
	writes, key := commitOfScan(b), privateKey("intake")
	p := newFive(b)
	address := mosquitto(b)
	line := map[string]*wired{}
	for _, name := range []string{"intake", "store", "drill-1", "drill-2", "pack"} {
		r := p.onDisk(b, name, diskDir(b))
		at := Station{ID: "NONE", Mode: ledger.ModeInOut}
		if name == "intake" {
			p.append(r, p.signed("paula", ledger.Tx{Body: benchOrder("WO-1")}))
			at = Station{ID: "INTAKE-1", Mode: ledger.ModeIntake, Intake: IntakeRules{{Order: "WO-1"}}}
		}
		line[name] = p.wire(b, name, address, at, r)
	}
	here, there := line["intake"], line["store"]
	for _, w := range line {
		eventually(b, "all hold the order", func() bool { return w.head(b, "intake") == here.head(b, "intake") })
	}
	probe, _ := busTo(b, address, "probe", "probe")
	db := benchBadger(b, diskDir(b))
	defer db.Close()
	time.Sleep(2 * apart)

	var light, stored, confirmed, limits, trips []time.Duration
	b.ResetTimer()
	for n := range scans {
		head := here.head(b, "intake")
		next := head.Height + 1
		began := time.Now()
		held := make(chan error, 1)
		var heldAfter time.Duration
		go func() {
			err := until(there.replica, func(v *replica.View) (bool, error) {
				refs, err := v.HeadsOf(keyID("intake"))
				return len(refs) > 0 && refs[0].Height >= next, err
			})
			heldAfter = time.Since(began)
			held <- err
		}()
		here.scan(b, fmt.Sprintf("04%012X", n), drivers.AspectGreen)
		light = append(light, time.Since(began))
		block := here.head(b, "intake")
		must(b, until(here.replica, func(v *replica.View) (bool, error) {
			_, _, confirmed, err := v.Confirmation(block)
			return confirmed, err
		}))
		confirmed = append(confirmed, time.Since(began))
		must(b, <-held)
		stored = append(stored, heldAfter)
		time.Sleep(apart / 2)

		asked := time.Now()
		must(b, probe.Publish(b.Context(), "probe", false, make([]byte, 400)))
		<-probe.Messages()
		trips = append(trips, time.Since(asked))
		commitAlike(b, db, writes, uint64(n))
		_, err := key.Sign(nil, writes[0].key, crypto.Hash(0))
		must(b, err)
		limits = append(limits, time.Since(asked))
		time.Sleep(apart / 2)
	}
	b.StopTimer()
	for _, times := range [][]time.Duration{light, stored, confirmed, limits, trips} {
		slices.Sort(times)
	}
	limit := float64(at(limits, 50))
	b.ReportMetric(float64(at(light, 50))/limit, "light-ratio")
	b.ReportMetric(float64(at(stored, 50))/limit, "stored-ratio")
	b.ReportMetric(float64(at(confirmed, 50))/limit, "confirmed-ratio")
	b.ReportMetric(0, "ns/op") // scans are apart, not slow
	report(b, "stored", stored)
	report(b, "confirmed", confirmed)
	report(b, "limit", limits)
	report(b, "trip", trips)
}
