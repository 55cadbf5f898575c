package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"traveler.example/agent/journal"
	"traveler.example/agent/mqtt"
	"traveler.example/agent/peer"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// together runs gateways that are connected to one broker.
func together(p *plant, names ...string) []*board {
	var all []*board
	for _, name := range names {
		b := p.gateway(name).online()
		all = append(all, b.run())
		b.bus.connect("mqtt://one")
	}
	time.Sleep(10 * time.Second)
	return all
}

func TestTheBrokerIsLostAndBackOnce(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := together(p, "intake")[0]
		b.journal.times(0, journal.BrokerLost, journal.BrokerBack)
		for i := range 3 {
			b.bus.cut(fmt.Errorf("attempt %d", i))
		}
		if s, err := b.Brief(); err != nil || s.Broker != "" {
			t.Errorf("status %+v, %v", s, err)
		}
		time.Sleep(time.Minute)
		b.bus.connect("mqtt://one")
		b.journal.times(1, journal.BrokerLost, journal.BrokerBack)
		b.journal.times(0, journal.BrokerSwitched)
		b.bus.connect("mqtt://two")
		b.bus.connect("mqtt://two")
		b.journal.times(1, journal.BrokerSwitched)
		if e := b.journal.events(journal.BrokerBack)[0]; e.fields[journal.KeyLasted] != "1m0s" {
			t.Errorf("lasted %q", e.fields[journal.KeyLasted])
		}
		if s, err := b.Brief(); err != nil || s.Broker != "mqtt://two" {
			t.Errorf("status %+v, %v", s, err)
		}
	})
}

// TestNoBrokerFromTheStart works alone, and says so once.
func TestNoBrokerFromTheStart(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("intake").online().run()
		b.bus.cut(errors.New("connection refused"))
		b.bus.cut(errors.New("connection refused"))
		b.order(drilling("WO-1"))
		b.shows(tagA, "TAKEN IN")
		b.journal.times(1, journal.BrokerLost)
	})
}

func TestTheBusEnds(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("intake")
		b.bus = p.hub.link("intake")
		b.bus.ends = mqtt.ErrRan
		b.build()
		b.run()
		b.order(drilling("WO-1"))
		b.journal.times(1, journal.BrokerRefused)
	})
}

func TestOrderAndItemReachAPeer(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		gs := together(p, "intake", "drill-1")
		intake, drill := gs[0], gs[1]
		intake.order(drilling("WO-1"))
		intake.shows(tagA, "TAKEN IN")
		time.Sleep(time.Second)
		drill.shows(tagA, "ACCEPTED")
		drill.journal.times(1, journal.OrderReceived)
		intake.journal.times(1, journal.OrderReceived)
		time.Sleep(2 * time.Minute)
		peers, err := drill.Desk().Peers(context.Background())
		must(t, err)
		for _, x := range peers {
			switch x.Name {
			case "intake":
				if !x.Online || x.Self || x.Heard == 0 || x.Height != 2 || x.Claimed != 2 || !slices.Equal(x.Stations, []string{"BENCH-1", "INTAKE-1"}) {
					t.Errorf("%+v", x)
				}
			case "drill-1":
				if !x.Online || !x.Self || x.Height != 1 {
					t.Errorf("%+v", x)
				}
			default:
				if x.Online || x.Heard != 0 {
					t.Errorf("never heard: %+v", x)
				}
			}
		}
		intake.stop()
		synctest.Wait()
		peers, err = drill.Desk().Peers(context.Background())
		must(t, err)
		if i := slices.IndexFunc(peers, func(x Peer) bool { return x.Name == "intake" }); peers[i].Online {
			t.Error("a gateway that said goodbye is online")
		}
		intake.journal.times(0, journal.BrokerLost)
	})
}

func TestRosterChanges(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		gs := together(p, "intake", "pack")
		gs[0].journal.times(0, journal.RosterChanged, journal.GatewayJoined, journal.StationUnassigned, journal.StationDoubled)
		s := p.state(enrolled("late", ledger.RoleGateway), enrolled("otto", ledger.RoleOperator))
		must(t, gs[0].Desk().Enrol(context.Background(), s.Raw()))
		time.Sleep(10 * time.Second)
		for _, g := range gs {
			g.journal.times(1, journal.RosterChanged, journal.GatewayJoined)
			if e := g.journal.events(journal.GatewayJoined); len(e) == 1 && e[0].fields[journal.KeyPeer] != "late" {
				t.Errorf("%v", e)
			}
		}
		must(t, gs[0].Desk().Enrol(context.Background(), s.Raw())) // known: nothing happens
		time.Sleep(10 * time.Second)
		gs[1].journal.times(1, journal.RosterChanged)
		revoked := p.state(ledger.Change{Kind: ledger.ChangeRevoke, Subject: keyID("pack")})
		must(t, gs[0].Desk().Enrol(context.Background(), revoked.Raw()))
		time.Sleep(10 * time.Second)
		gs[1].journal.times(1, journal.GatewayRevoked, journal.StationUnassigned)
		gs[0].journal.times(0, journal.GatewayRevoked, journal.StationUnassigned)
	})
}

// TestAStationIsAssignedLater starts a gateway whose station nobody has given it
// yet, and then two gateways at once have it.
func TestAStationIsAssignedLater(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := p.gateway("pack", func(c *Config, _ *Parts) { c.Station.ID = "PACK-9" }).run()
		b.journal.times(1, journal.StationUnassigned)
		last := p.statements[len(p.statements)-1].Hash()
		for i, gateway := range []string{"pack", "drill-2"} { // neither builds on the other
			s, err := ledger.SignStatement(p.genesis.Network(), ledger.Statement{
				BuildsOn: []ledger.Hash{last}, Time: 1_700_000_001_000 + int64(i),
				Changes: []ledger.Change{{Kind: ledger.ChangeAssign, Subject: keyID(gateway), Station: "PACK-9"}},
			}, privateKey("ada"))
			must(t, err)
			must(t, b.Desk().Enrol(context.Background(), s.Raw()))
			synctest.Wait()
		}
		b.journal.times(1, journal.StationUnassigned, journal.StationAssigned, journal.StationDoubled)
		if e := b.journal.events(journal.StationDoubled); len(e) == 1 && e[0].fields[journal.KeyPeer] != "drill-2" {
			t.Errorf("%v", e)
		}
		doc, err := b.Desk().Roster(context.Background())
		if err != nil || !slices.Equal(doc.Doubled, []string{"station PACK-9"}) {
			t.Errorf("doubled %v, %v", doc.Doubled, err)
		}
	})
}

// say publishes as if a gateway did.
func (p *plant) say(topic string, payload []byte) {
	p.hub.mu.Lock()
	for _, l := range p.hub.links {
		l.take(mqtt.Message{Topic: topic, Payload: payload})
	}
	p.hub.mu.Unlock()
	time.Sleep(5 * time.Second)
}

// fork makes two versions of a gateway's chain of one block each.
func (p *plant) fork(name string) (blocks [2][]replica.Object) {
	for i := range blocks {
		r := p.replica(name, nil)
		t := p.signed("paula", ledger.Tx{Body: drilling(fmt.Sprintf("WO-FORK-%d", i))})
		p.append(r, t)
		blocks[i] = chain(p.t, r, name)
	}
	return blocks
}

func TestEvidenceIsSaidOnce(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		gs := together(p, "intake", "pack")
		topic := peer.TopicsOf(p.genesis.Network()).Block(keyID("drill-2"))
		for range 2 {
			for _, version := range p.fork("drill-2") {
				p.say(topic, version[0].(ledger.UnverifiedBlock).Raw())
			}
		}
		for _, g := range gs {
			g.journal.times(1, journal.EvidenceFound)
			if e := g.journal.events(journal.EvidenceFound); len(e) == 1 && (e[0].fields[journal.KeyPeer] != "drill-2" || e[0].fields[journal.KeyBlock] != "drill-2/1") {
				t.Errorf("%v", e)
			}
			doc, err := g.Desk().Evidence(context.Background())
			if err != nil || len(doc) != 1 || doc[0].Author != "drill-2" || doc[0].Height != 1 || doc[0].A == doc[0].B {
				t.Errorf("evidence %+v, %v", doc, err)
			}
			if _, err := g.Desk().Block(context.Background(), "drill-2/1"); !errors.Is(err, ErrAmbiguous) {
				t.Errorf("one of two blocks: %v", err)
			}
		}
		b := gs[0]
		if s, err := b.Brief(); err != nil || s.Evidence != 1 {
			t.Errorf("status %+v, %v", s, err)
		}
	})
}

// conflicted has an item taken up by both drills while they do not hear of each
// other.
func conflicted(t *testing.T, p *plant) (intake, one, two *board) {
	t.Helper()
	gs := together(p, "intake", "drill-1", "drill-2")
	intake, one, two = gs[0], gs[1], gs[2]
	intake.order(drilling("WO-1"))
	intake.shows(tagA, "TAKEN IN")
	time.Sleep(10 * time.Second)
	two.bus.cut(errors.New("the cable is out"))
	one.shows(tagA, "ACCEPTED")
	two.shows(tagA, "ACCEPTED")
	two.bus.connect("mqtt://one")
	time.Sleep(2 * time.Minute)
	return intake, one, two
}

func TestAConflictIsSaidOnceAndRuledOnce(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		intake, one, two := conflicted(t, p)
		all := []*board{intake, one, two}
		for _, g := range all {
			g.journal.times(1, journal.ItemConflict)
			g.journal.times(0, journal.ItemRuled)
		}
		one.shows(tagA, "IN CONFLICT")
		d := one.Desk()
		if s, err := d.Status(context.Background()); err != nil || s.Conflicts != 1 {
			t.Errorf("status %+v, %v", s, err)
		}
		heads, err := d.Rule(context.Background(), tagA)
		must(t, err)
		if len(heads.Heads) != 2 || heads.State != "in conflict" {
			t.Fatalf("heads %+v", heads)
		}
		if _, err := d.Withdraw(context.Background(), tagA, "by mistake"); !errors.Is(err, ErrNotPermitted) {
			t.Errorf("withdrawn what others said: %v", err)
		}
		ruling := p.signed("quinn", ledger.Tx{
			Item: heads.Item, After: heads.Heads,
			Body: ledger.Disposition{Ruling: ledger.ContinueAt, Operation: "10", Task: "drill", Place: "DRILLING", Reason: "drill-1 has it"},
		})
		receipt, err := d.Submit(context.Background(), ruling.Raw())
		must(t, err)
		if receipt.Tx != ruling.ID() || receipt.Status != "Sealed" {
			t.Errorf("receipt %+v", receipt)
		}
		stale := p.signed("quinn", ledger.Tx{
			Item: heads.Item, After: heads.Heads, Body: ledger.Disposition{Ruling: ledger.Scrap, Reason: "too late"},
		})
		if _, err := d.Submit(context.Background(), stale.Raw()); !errors.Is(err, ErrConflict) {
			t.Errorf("ruled on heads of the past: %v", err)
		}
		time.Sleep(time.Minute)
		for _, g := range all {
			g.journal.times(1, journal.ItemConflict, journal.ItemRuled)
		}
		one.shows(tagA, "ACCEPTED")
	})
}

// TestASlowBrokerHoldsUpNothing has a broker that acknowledges nothing while a
// gateway seals: scans go on, the watchdog is fed, the end is in time.
func TestASlowBrokerHoldsUpNothing(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := together(p, "intake")[0]
		b.order(drilling("WO-1"))
		b.bus.hold(true)
		for i := range 40 {
			began := time.Now()
			b.shows(fmt.Sprintf("04000000%06X", i), "TAKEN IN")
			if took := time.Since(began); took > 0 {
				t.Errorf("scan %d took %v", i, took)
			}
		}
		for range 100 {
			time.Sleep(time.Second)
			if !b.Alive(5 * time.Second) {
				t.Fatal("the sync's loop stands still")
			}
		}
		if took, err := b.stop(); took > 5*time.Second || err != nil {
			t.Errorf("took %v: %v", took, err)
		}
	})
}

// TestTheOwnChainComesBack starts a gateway whose disk was lost.
func TestTheOwnChainComesBack(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		gs := together(p, "intake", "pack")
		gs[0].order(drilling("WO-1"))
		gs[0].shows(tagA, "TAKEN IN")
		time.Sleep(10 * time.Second)
		gs[0].stop()
		again := p.gateway("intake").online()
		again.bus.connect("mqtt://one")
		again.run()
		again.shows(tagA, "ALREADY DONE")
		again.journal.times(1, journal.ChainRestored)
		if head, branches := again.replica.Own(); head.Height != 2 || len(branches) != 1 {
			t.Errorf("head %v, branches %v", head, branches)
		}
	})
}

// TestACopyOfTheBoardIsJoined starts a gateway from a copy that another has gone
// on from: both branches end in one, and it is said.
func TestACopyOfTheBoardIsJoined(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		gs := together(p, "intake", "pack")
		other := p.replica("intake", nil)
		p.append(other, p.signed("paula", ledger.Tx{Body: drilling("WO-7")}))
		gs[0].order(drilling("WO-1"))
		topic := peer.TopicsOf(p.genesis.Network()).Block(keyID("intake"))
		p.say(topic, chain(t, other, "intake")[0].(ledger.UnverifiedBlock).Raw())
		time.Sleep(time.Minute)
		for _, g := range gs {
			g.journal.times(1, journal.EvidenceFound)
		}
		gs[0].journal.times(1, journal.ChainBranchJoined)
		if head, branches := gs[0].replica.Own(); head.Height != 2 || len(branches) != 1 {
			t.Errorf("head %v, branches %v", head, branches)
		}
		if _, err := gs[0].Desk().Order(context.Background(), "WO-7"); err != nil {
			t.Errorf("what the copy said is lost: %v", err)
		}
	})
}

// TestAFullDiskMissesNothing gives a gateway blocks while it cannot store them.
func TestAFullDiskMissesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		gs := together(p, "intake", "pack")
		gs[1].free.Store(0)
		gs[0].order(drilling("WO-1"))
		gs[0].shows(tagA, "TAKEN IN")
		time.Sleep(time.Minute)
		if n := len(chain(t, gs[1].replica, "intake")); n != 0 {
			t.Fatalf("%d blocks on a full disk", n)
		}
		gs[1].free.Store(1 << 40)
		time.Sleep(3 * time.Minute)
		if n := len(chain(t, gs[1].replica, "intake")); n != 2 {
			t.Errorf("%d blocks, want 2", n)
		}
	})
}

// TestStrangersAreNotRemembered keeps what is noted of peers bounded by the
// roster.
func TestStrangersAreNotRemembered(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := together(p, "intake")[0]
		topics := peer.TopicsOf(p.genesis.Network())
		for i := range 100 {
			p.say(topics.Status(keyID(fmt.Sprint("stranger", i))), peer.Status{Height: 9}.Encode())
		}
		p.say(topics.Block(keyID("pack")), []byte("nonsense"))
		p.say("nonsense", nil)
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.claims) != 1 {
			t.Errorf("%d remembered", len(b.claims))
		}
	})
}

func TestJournalLinesOfTheSync(t *testing.T) {
	bubble(t, func(t *testing.T, p *plant) {
		b := together(p, "intake", "pack")[0]
		time.Sleep(time.Hour)
		b.journal.times(0, journal.PeerSilent)
		b.bus.hub.links[1].cut(errors.New("gone")) // pack
		time.Sleep(time.Hour)
		b.journal.times(1, journal.PeerSilent)
		b.bus.hub.links[1].connect("mqtt://one")
		time.Sleep(time.Hour)
		b.journal.times(1, journal.PeerSilent, journal.PeerBack)
		for i := range 5 {
			p.say("traveler/1/0000000000000000/roster", fmt.Append(nil, i))
		}
		dropped := b.journal.events(journal.MessageDropped)
		if len(dropped) != 1 || !strings.Contains(dropped[0].words, "foreign network") {
			t.Errorf("%v", dropped)
		}
	})
}
