package emulate

import (
	"encoding/hex"
	"testing"
)

// Whatever a host sends, the chip and the tags in its field neither panic nor
// keep more than a frame of it, and every command gets an answer, a search or a
// refusal, no longer than a frame can be.
func FuzzHostFrames(f *testing.F) {
	for _, seed := range []string{
		"55550000000000000000000000000000" + "0000ff03fdd414011700", "550000ff09f7d400006c69626e6663be00",
		"550000ff0cf4d406630263036 30d6338633db000", "550000ff04fcd44a0100e100", "550000ff02fed442ea00",
		// A tag listed, read and written; a sector opened and read; a raw frame.
		"550000ff04fcd44a0200e000" + "0000ff05fbd4400230038700" + "0000ff09f7d44002a20401020304" + "3a00",
		"550000ff04fcd44a0100e100" + "0000ff0ff1d440016004ffffffffffff1a2b3c4dee00" + "0000ff05fbd44001300487" + "00",
		"550000ff04fcd44a0200e000" + "0000ff05fbd4423a0015db00" + "0000ff08f8d408630200630300" + "5900" + "0000ff05fbd44260f8326000",
		"550000ffffff0002fed4022a00", "550000ff00ff000000ffff0000", "550000ff01ffd42c00", "550000ff08f8d460140220031104a500",
	} {
		b, _ := hex.DecodeString(seed)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		device := NewPN532(PN532Config{})
		for _, uid := range []string{shortUID, longUID} {
			if err := device.Present(uid, ""); err != nil {
				t.Fatal(err)
			}
		}
		c := &pn532Chip{PN532: device}
		c.powerUp()
		for len(stream) > 0 {
			n := min(len(stream), 512)
			for _, frame := range c.frames.feed(stream[:n]) {
				if frame.ack || frame.nack || frame.bad {
					continue
				}
				response, s := c.execute(frame.command)
				if s != nil {
					response = s.answer(c.matching(s))
				}
				if response != nil && response[0] != frame.command[0]+1 {
					t.Errorf("command % x answered % x", frame.command, response)
				}
				if len(c.targets) > 2 || c.active > len(c.targets) || len(c.halted) > 2 {
					t.Fatalf("%d targets, %d active, %d halted", len(c.targets), c.active, len(c.halted))
				}
			}
			if len(c.frames.buf) > longestHostFrame {
				t.Fatalf("%d bytes kept", len(c.frames.buf))
			}
			stream = stream[n:]
		}
	})
}
