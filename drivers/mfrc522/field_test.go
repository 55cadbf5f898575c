package mfrc522

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"traveler.example/drivers"
	"traveler.example/drivers/emulate"
)

// A tag that somebody else left halted is found in a field that counts as empty.
func TestForeignHaltedTagIsFound(t *testing.T) {
	onChip(t, emulate.MFRC522Config{}, []string{"DEADBEEF"}, func(t *testing.T, c *chip, _ *emulate.MFRC522) {
		found(t, c, cmdWUPA)
		s := &session{Reader: &Reader{}, presence: drivers.NewPresence("bench", drivers.PresenceConfig{}), chip: *c}
		if err := s.look(t.Context()); err != nil || s.field.n != 1 {
			t.Errorf("%d tags found, %v; want 1", s.field.n, err)
		}
	})
}

// Of two tags that are lost for a moment, none stays lost because the other one
// is found and it itself is halted.
func TestTwoTagsThroughFlicker(t *testing.T) {
	running(t, Config{}, func(t *testing.T, device *emulate.MFRC522, events *followed) {
		for _, tag := range []string{"DEADBEEF", "04A1B2C3D4E580"} {
			device.Present(tag, "")
			events.expect(t, drivers.Arrived, tag)
		}
		device.Fault(emulate.FaultFlicker, true)
		events.quiet(t, 20*time.Second)
	})
}

// A chip that has lost its settings is noticed by the next answer already.
func TestPowerDipShowsAtOnce(t *testing.T) {
	onChip(t, emulate.MFRC522Config{}, []string{"DEADBEEF"}, func(t *testing.T, c *chip, device *emulate.MFRC522) {
		device.Fault(emulate.FaultForget, true)
		time.Sleep(time.Millisecond)
		if _, _, err := c.request(t.Context(), cmdWUPA); !errors.Is(err, drivers.ErrForgot) {
			t.Errorf("request after a power dip: %v, want ErrForgot", err)
		}
	})
}

// An exchange that was called off leaves nothing that the next one would take
// for its answer.
func TestCalledOffExchangeLeavesNothing(t *testing.T) {
	onChip(t, emulate.MFRC522Config{}, []string{"04A1B2C3D4E580 ntag213"}, func(t *testing.T, c *chip, _ *emulate.MFRC522) {
		tag := use(t, c, "04A1B2C3D4E580")
		for after := 100 * time.Microsecond; after < 4*time.Millisecond; after += 100 * time.Microsecond {
			ctx, cancel := context.WithTimeout(t.Context(), after)
			_, _ = tag.Exchange(ctx, []byte{0x30, 0x08})
			cancel()
			time.Sleep(10 * time.Millisecond)
			b, err := tag.Exchange(t.Context(), []byte{0x30, 0x00})
			if got := fmt.Sprintf("%X", b); err != nil || !strings.HasPrefix(got, "04A1B2") {
				t.Fatalf("called off after %v, the next exchange gives %s, %v", after, got, err)
			}
		}
	})
}

// Identifiers are taken only if their check byte and their cascade agree.
func TestIdentifiersAreChecked(t *testing.T) {
	ok := func(text string) string { return fmt.Sprintf("2000%02x002000%s", len(text)/2, text) }
	sak := func(b byte) string { crc := crcA([]byte{b}); return ok(fmt.Sprintf("%02x%x", b, crc)) }
	part1, part2 := ok("8804a1b29f"), ok("c3d4e58072")
	for _, tt := range []struct{ name, say, want string }{
		{"four bytes", ok("deadbeef22") + sak(0x08), "DEADBEEF"},
		{"seven bytes", part1 + sak(0x04) + part2 + sak(0x00), "04A1B2C3D4E580"},
		{"ten bytes", part1 + sak(0x04) + ok("88c3d4e57a") + sak(0x04) + ok("868788a920") + sak(0x20), "04A1B2C3D4E5868788A9"},
		{"wrong check byte", ok("deadbeef23") + sak(0x08), ""},
		{"cascade tag and an end", part1 + sak(0x00), ""},
		{"no cascade tag and no end", ok("deadbeef22") + sak(0x04), ""},
		{"four parts", part1 + sak(0x04) + part1 + sak(0x04) + part1 + sak(0x04) + part2 + sak(0), ""},
		{"SAK of two bytes", ok("deadbeef22") + ok("0800"+crcText("0800")), ""},
		{"SAK with a wrong CRC", ok("deadbeef22") + ok("08b6de"), ""},
		{"four bytes instead of five", strings.Repeat(ok("deadbeef"), 5), ""},
	} {
		say, err := hex.DecodeString(tt.say)
		if err != nil {
			t.Fatal(err)
		}
		c := scripted(status{}, nil)
		c.conn = &hostile{say: say}
		id, err := c.identify(t.Context())
		got := fmt.Sprintf("%X", id.uid())
		if tt.want == "" != (err != nil) || err == nil && got != tt.want || err != nil && !onAir(err) {
			t.Errorf("%s: %s, %v; want %q", tt.name, got, err, tt.want)
		}
	}
}

func crcText(text string) string {
	b, _ := hex.DecodeString(text)
	crc := crcA(b)
	return hex.EncodeToString(crc[:])
}

// Identifiers that no tag has are told and are no arrival.
func TestRefusedIdentifier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		device := emulate.NewMFRC522(emulate.MFRC522Config{})
		if err := device.Present("00000000", ""); err != nil {
			t.Fatal(err)
		}
		reader, err := New(Config{Name: "bench", Open: device.Open})
		if err != nil {
			t.Fatal(err)
		}
		events := follow(t, reader)
		events.expect(t, drivers.Up, "")
		events.quiet(t, 5*time.Second)
		if len(events.faults) != 1 || !errors.Is(events.faults[0], drivers.ErrTagID) {
			t.Errorf("faults %v, want one ErrTagID", events.faults)
		}
		device.Present("DEADBEEF", "")
		events.expect(t, drivers.Arrived, "DEADBEEF")
	})
}
