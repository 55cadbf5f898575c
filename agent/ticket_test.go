package agent

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"traveler.example/ledger"
)

func TestTicketCode(t *testing.T) {
	for _, c := range []TicketCode{{}, {15: 1}, {0: 0xff}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}} {
		text := c.String()
		if len(text) != codeLength+codeLength/codeGroup-1 {
			t.Errorf("%s has %d signs", text, len(text))
		}
		for _, typed := range []string{
			text, strings.ToLower(text), strings.ReplaceAll(text, "-", ""), " " + strings.ReplaceAll(text, "-", " ") + "\n",
			strings.ReplaceAll(strings.ReplaceAll(text, "0", "o"), "1", "l"),
		} {
			if got, err := ParseTicketCode(typed); err != nil || got != c {
				t.Errorf("ParseTicketCode(%q) = %v, %v", typed, got, err)
			}
		}
		wrong := []byte(text)
		if wrong[3]++; !strings.ContainsRune(codeDigits, rune(wrong[3])) {
			wrong[3] = '7'
		}
		for _, typed := range []string{"", text[:10], text + "0", string(wrong), "U" + text[1:], "é" + text[1:]} {
			if _, err := ParseTicketCode(typed); !errors.Is(err, ErrTicket) {
				t.Errorf("ParseTicketCode(%q): %v", typed, err)
			}
		}
	}
	if _, err := NewTicketCode(bytes.NewReader(nil)); err == nil {
		t.Error("a code of no randomness")
	}
}

// TestTicketKey: one code is one key in a network, and another in another.
func TestTicketKey(t *testing.T) {
	public := func(c TicketCode, net ledger.NetworkID) ledger.KeyID {
		pub, err := c.public(net)
		must(t, err)
		return pub.ID()
	}
	a := public(TicketCode{1}, ledger.NetworkID{1})
	if a != public(TicketCode{1}, ledger.NetworkID{1}) || a == public(TicketCode{2}, ledger.NetworkID{1}) || a == public(TicketCode{1}, ledger.NetworkID{2}) {
		t.Error("the key does not follow from code and network alone")
	}
}

func FuzzParseTicketCode(f *testing.F) {
	f.Add(TicketCode{9, 8, 7}.String())
	f.Add("0000-0000")
	f.Add("OIL0-\x00é")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseTicketCode(text)
		if err != nil {
			if !errors.Is(err, ErrTicket) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if again, err := ParseTicketCode(c.String()); err != nil || again != c {
			t.Errorf("%q: %v, %v", text, again, err)
		}
	})
}

func TestPrepareTicket(t *testing.T) {
	n, signers := found(t, "admin")
	d := draft("G-SAW", "SAW-1")
	d.Ticket = true
	code := TicketCode{1, 2, 3}
	p, err := n.PrepareTicket(d.Text(), true, code)
	must(t, err)
	s, err := n.Perform(foundedAt, p, signers...)
	must(t, err)
	if got := files(t, n.Board("G-SAW")); !strings.Contains(got, "profile.toml") || !strings.Contains(got, s.Hash().String()) || strings.Contains(got, ".key") {
		t.Errorf("files: %s", got)
	}
	info, err := os.Stat(filepath.Join(n.Board("G-SAW"), TicketName))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the ticket has mode %04o", info.Mode().Perm())
	}
	got, err := loadTicket(filepath.Join(n.Board("G-SAW"), TicketName))
	if err != nil || got != code {
		t.Errorf("loadTicket = %v, %v", got, err)
	}
	must(t, os.Chmod(filepath.Join(n.Board("G-SAW"), TicketName), 0o644))
	if _, err := loadTicket(filepath.Join(n.Board("G-SAW"), TicketName)); !errors.Is(err, ErrKeyOpen) {
		t.Errorf("a ticket that all can read: %v", err)
	}
	doc := n.Document()
	if len(doc.Tickets) != 1 || doc.Tickets[0].Name != "G-SAW" || doc.Tickets[0].Station != "SAW-1" {
		t.Errorf("tickets: %+v", doc.Tickets)
	}
	// The name is given: nothing is left of a second try.
	must(t, os.RemoveAll(n.Board("G-SAW")))
	p, err = n.PrepareTicket(d.Text(), true, TicketCode{4})
	must(t, err)
	if _, err := n.Perform(foundedAt, p, signers...); !errors.Is(err, ledger.ErrRefused) {
		t.Errorf("a second ticket of one name: %v", err)
	}
	if _, err := os.Stat(n.Board("G-SAW")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its directory is left: %v", err)
	}
}
