package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"traveler.example/agent"
	"traveler.example/ledger"
)

// ticket prepares a gateway that makes its own key, as gateway does one with a key.
func (p *plant) ticket(name, station, profile, more string) (*gateway, agent.TicketCode) {
	p.t.Helper()
	code, err := agent.NewTicketCode(nil)
	ok(p.t, err)
	text := strings.Replace(boardText(name, station, profile, more), "key_file", "ticket_file = \"ticket\"\nkey_file", 1)
	prepared, err := p.PrepareTicket([]byte(text), true, code)
	ok(p.t, err)
	_, err = p.Perform(time.Now().UnixMilli(), prepared, p.admin()...)
	ok(p.t, err)
	return &gateway{t: p.t, dir: p.Board(name), plant: p, name: name}, code
}

// TestTicket: a board that has a ticket and no key comes up by itself, is known
// to the others over the broker, and what it seals is confirmed there. A copy of
// its card enrols a second board: both count, and both say so.
func TestTicket(t *testing.T) {
	p := newPlant(t)
	address := freeAddress(t)
	broker := fmt.Sprintf("[broker]\nurls = [\"mqtt://%s\"]\n", address)
	first := p.gateway("G-1", "INTAKE-1", "intake", fmt.Sprintf("[intake]\norder = \"WO-1\"\n\n[broker]\nlisten = %q\n", address))
	second, _ := p.ticket("G-2", "INTAKE-2", "intake", "[intake]\norder = \"WO-1\"\n\n"+broker)
	copied := &gateway{t: t, dir: filepath.Join(t.TempDir(), "card"), plant: p, name: "G-2 copied"}
	ok(t, os.CopyFS(copied.dir, os.DirFS(second.dir)))
	ok(t, os.Chmod(filepath.Join(copied.dir, agent.TicketName), 0o600))

	// G-1 has heard of no ticket: the board brings that statement, too.
	ok(t, os.RemoveAll(filepath.Join(first.dir, agent.RosterName)))
	ok(t, os.Mkdir(filepath.Join(first.dir, agent.RosterName), 0o755))
	for _, s := range p.Register.Statements() {
		if s.Changes[0].Kind != ledger.ChangeTicket {
			ok(t, os.WriteFile(filepath.Join(first.dir, agent.RosterName, s.Hash().String()+".cbor"), s.Raw(), 0o644))
		}
	}
	first.plug()
	first.start()
	first.ready()
	second.plug()
	second.start()
	second.logged("ticket.redeemed")
	second.ready()
	if _, err := os.Stat(filepath.Join(second.dir, agent.TicketName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the used ticket is still there: %v", err)
	}
	info, err := os.Stat(filepath.Join(second.dir, agent.BoardKey))
	ok(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the board's key has mode %04o", info.Mode().Perm())
	}
	key := enrolledKey(t, first, "G-2", 1)[0]

	first.order(twoSteps("WO-1", "DRILL-1"))
	second.until("order on G-2", func() bool {
		orders, err := second.desk().Orders(context.Background())
		return err == nil && len(orders) == 1
	})
	second.scan("04A1B2C3D4E5F6", "TAKEN IN")
	first.until("its block confirmed on G-1", func() bool {
		peers, err := first.desk().Peers(context.Background())
		for _, peer := range peers {
			if err == nil && peer.Name == "G-2" && peer.Confirmed > 0 {
				return true
			}
		}
		return false
	})

	// After a restart it is the same board.
	if code := second.stop(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	second.start()
	second.ready()
	if again := enrolledKey(t, first, "G-2", 1)[0]; again != key {
		t.Errorf("the board's key was %s and is %s", key, again)
	}

	// The copied card: its board knows of the ticket and of no redemption.
	copied.plug()
	copied.start()
	copied.logged("ticket.redeemed")
	enrolledKey(t, first, "G-2", 2)
	line := first.logged("the ticket of G-2 was used by 2 boards")
	if !strings.Contains(line, "ticket.doubled") {
		t.Errorf("journal line: %s", line)
	}
}

// enrolledKey waits until a gateway knows so many keys of one name.
func enrolledKey(t *testing.T, g *gateway, name string, want int) (keys []ledger.KeyID) {
	t.Helper()
	g.until(fmt.Sprintf("%d keys of %s", want, name), func() bool {
		keys = nil
		roster, err := g.desk().Roster(context.Background())
		if err != nil {
			return false
		}
		for _, who := range roster.Identities {
			if who.Name == name {
				keys = append(keys, who.Key)
			}
		}
		return len(keys) == want
	})
	return keys
}

// TestTicketRefused: what is wrong with a ticket is said, and the daemon does not
// come up again and again.
func TestTicketRefused(t *testing.T) {
	p := newPlant(t)
	for name, spoil := range map[string]func(g *gateway){
		"no ticket": func(g *gateway) { ok(t, os.Remove(filepath.Join(g.dir, agent.TicketName))) },
		"a misprint": func(g *gateway) {
			ok(t, os.WriteFile(filepath.Join(g.dir, agent.TicketName), []byte("0000-1111\n"), 0o600))
		},
		"another network's code": func(g *gateway) {
			ok(t, os.WriteFile(filepath.Join(g.dir, agent.TicketName), []byte(agent.TicketCode{7}.String()), 0o600))
		},
	} {
		station := strings.ToUpper(strings.ReplaceAll(strings.ReplaceAll(name, " ", "-"), "'", ""))
		g, _ := p.ticket("G-"+station, station, "drilling", noBroker)
		spoil(g)
		g.start()
		g.logged("ticket.refused")
		<-g.end
		if code := g.cmd.ProcessState.ExitCode(); code != exitConfig {
			t.Errorf("%s: exit code %d, want %d", name, code, exitConfig)
		}
	}
}

// TestTicketContinues: wherever the first start is cut off, the next goes on with
// the same key and redeems once.
func TestTicketContinues(t *testing.T) {
	p := newPlant(t)
	g, code := p.ticket("G-SAW", "SAW-1", "drilling", noBroker)
	// Cut off while the key is written: a part of it under another name.
	ok(t, os.WriteFile(filepath.Join(g.dir, agent.BoardKey+".new"), []byte("-----BEGIN"), 0o600))
	g.plug()
	g.start()
	g.ready()
	key := enrolledKey(t, g, "G-SAW", 1)[0]
	g.kill()
	// Cut off after the redemption, before the ticket was removed.
	ok(t, os.WriteFile(filepath.Join(g.dir, agent.TicketName), []byte(code.String()+"\n"), 0o600))
	g.start()
	g.ready()
	if again := enrolledKey(t, g, "G-SAW", 1)[0]; again != key {
		t.Errorf("the board's key was %s and is %s", key, again)
	}
	all, err := g.desk().Statements(context.Background())
	ok(t, err)
	redeemed := 0
	for _, s := range all {
		if strings.Contains(strings.Join(s.Changes, ""), "is redeemed by a board") {
			redeemed++
		}
	}
	if redeemed != 1 {
		t.Errorf("%d redemptions, want 1", redeemed)
	}
}
