package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"traveler.example/agent/journal"
	profiles "traveler.example/firmware-profiles"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// founded makes a network with one gateway under a profile, and loads that.
func founded(t *testing.T, more string) profiles.Profile {
	t.Helper()
	n, signers := found(t, "admin")
	if _, err := n.AddPerson(foundedAt, "olga", ledger.RoleOperator, KeyForm{}, signers...); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`gateway = "G-1"
board = "demo"
station = "intake"
data_dir = "data"
key_file = "gateway.key"
genesis_file = "genesis.cbor"
roster = ["roster"]
control_socket = "control.sock"

[work]
station = "INTAKE-1"

[ports]
reader0 = "./reader"

[[light]]
name = "lamp"
kind = "lines"
path = "lamp"
%s`, more)
	if _, err := n.AddGateway(foundedAt, []byte(text), true, KeyForm{}, signers...); err != nil {
		t.Fatal(err)
	}
	p, err := profiles.Load(filepath.Join(n.Board("G-1"), ProfileName))
	must(t, err)
	return p
}

const intakeOrders = `
[broker]
urls = ["mqtt://127.0.0.1:1"]

[badges]
"0BAD6E01" = "olga"
"0BAD6F01" = "pat-who-comes-later"

[intake]
order = "WO-1"
lot = "LOT-1"

[[intake.rule]]
tag_prefix = "04"
order = "WO-4"
`

func TestAssemble(t *testing.T) {
	p := founded(t, intakeOrders)
	p.Broker.Listen = "127.0.0.1:0"
	log := &record{t: t, who: "G-1"}
	j := journal.New(log, time.Now)
	g, err := Assemble(context.Background(), p, KeySource{}, Hardware{}, "1.0", j)
	must(t, err)
	if b := g.cfg.Machine.Badges; len(b) != 2 || b["0BAD6F01"].Name != "pat-who-comes-later" {
		t.Errorf("badges %+v: whom the roster does not know yet is no item", b)
	}
	want := IntakeRules{{TagPrefix: "04", Order: "WO-4", Lot: "LOT-1"}, {Order: "WO-1", Lot: "LOT-1"}}
	if !slices.Equal(g.cfg.Station.Intake, want) {
		t.Errorf("rules %+v", g.cfg.Station.Intake)
	}
	if g.cfg.Dir != p.DataDir || g.cfg.Station.ID != "INTAKE-1" || g.cfg.Station.Mode != ledger.ModeIntake || len(g.parts.Readers) != 1 {
		t.Errorf("%+v", g.cfg)
	}
	if len(g.parts.Replica.Register().Statements()) != 2 {
		t.Error("the roster that came with the board is not known")
	}
	if _, err := Assemble(context.Background(), p, KeySource{}, Hardware{}, "1.0", j); !errors.Is(err, replica.ErrLocked) {
		t.Errorf("two daemons on one directory: %v", err)
	}
	log.times(1, journal.ReplicaBusy)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- g.Run(ctx) }()
	d, err := Dial(p.ControlSocket)
	must(t, err)
	if s, err := d.Status(context.Background()); err != nil || s.Version != "1.0" || s.Mode != "intake" || s.Gateway != "G-1" {
		t.Errorf("status %+v, %v", s, err)
	}
	must(t, d.Close())
	cancel()
	must(t, <-ended)
	must(t, g.Close())
	if g, err = Assemble(context.Background(), p, KeySource{}, Hardware{}, "1.0", j); err != nil { // nothing is held any more
		t.Fatal(err)
	}
	must(t, g.Close()) // without having run
	if _, err := os.Lstat(p.ControlSocket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the control socket stays: %v", err)
	}
}

func TestAssembleRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, p *profiles.Profile)
		event journal.ID // what the journal says; empty: nothing of its own
		want  string
	}{
		"no genesis": {func(t *testing.T, p *profiles.Profile) { must(t, os.Remove(p.GenesisFile)) }, journal.GenesisRefused, "genesis.cbor"},
		"a genesis that is none": {func(t *testing.T, p *profiles.Profile) {
			must(t, os.WriteFile(p.GenesisFile, []byte("x"), 0o644))
		}, journal.GenesisRefused, "genesis.cbor"},
		"a key that others read": {func(t *testing.T, p *profiles.Profile) { must(t, os.Chmod(p.KeyFile, 0o644)) }, journal.KeyRefused, "chmod 600"},
		"a roster that is none": {func(t *testing.T, p *profiles.Profile) {
			must(t, os.WriteFile(filepath.Join(p.Roster[0], "x.cbor"), []byte("x"), 0o644))
		}, journal.RosterRefused, "x.cbor"},
		"a file for a directory": {func(t *testing.T, p *profiles.Profile) { must(t, os.WriteFile(p.DataDir, nil, 0o644)) }, "", "directory"},
		"a file for a socket": {func(t *testing.T, p *profiles.Profile) {
			must(t, os.WriteFile(p.ControlSocket, []byte("precious"), 0o644))
		}, "", "another path"},
		"a disk without room": {func(_ *testing.T, p *profiles.Profile) { p.Ledger.FreeSpaceReserve = 1 << 60 }, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := founded(t, intakeOrders)
			c.spoil(t, &p)
			log := &record{t: t, who: "G-1"}
			g, err := Assemble(context.Background(), p, KeySource{}, Hardware{}, "1.0", journal.New(log, time.Now))
			if name == "a disk without room" { // it starts, and says that nothing can be recorded
				must(t, err)
				if g.parts.Replica.Ready() == nil {
					t.Error("there is room")
				}
				must(t, g.Close())
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %s", err, c.want)
			}
			if c.event != "" {
				log.times(1, c.event)
			}
		})
	}
}

// TestAStatementThatDoesNotCount is said, and those before it are taken all the
// same.
func TestAStatementThatDoesNotCount(t *testing.T) {
	p := founded(t, intakeOrders)
	statements, err := LoadStatements(mustGenesis(t, p).Network(), p.Roster...)
	must(t, err)
	orphan, err := ledger.SignStatement(mustGenesis(t, p).Network(), ledger.Statement{
		BuildsOn: []ledger.Hash{{7}}, Time: foundedAt, Changes: []ledger.Change{enrolled("late", ledger.RoleGateway)},
	}, privateKey("ada"))
	must(t, err)
	must(t, writeStatements(p.Roster[0], []ledger.Statement{orphan}))
	log := &record{t: t, who: "G-1"}
	g, err := Assemble(context.Background(), p, KeySource{}, Hardware{}, "1.0", journal.New(log, time.Now))
	must(t, err)
	defer g.Close() //nolint:errcheck // nothing was written
	log.times(1, journal.RosterRefused)
	if got := len(g.parts.Replica.Register().Statements()); got != len(statements) {
		t.Errorf("%d statements taken, want %d", got, len(statements))
	}
}

func mustGenesis(t *testing.T, p profiles.Profile) ledger.Genesis {
	t.Helper()
	g, err := LoadGenesis(p.GenesisFile)
	must(t, err)
	return g
}
