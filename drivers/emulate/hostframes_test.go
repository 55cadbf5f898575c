package emulate

import (
	"encoding/hex"
	"testing"
)

// Whatever a host sends, the chip neither panics nor keeps more than a frame of
// it, and every command gets an answer, a search or a refusal.
func FuzzHostFrames(f *testing.F) {
	for _, seed := range []string{
		"55550000000000000000000000000000" + "0000ff03fdd414011700", "550000ff09f7d400006c69626e6663be00",
		"550000ff0cf4d406630263036 30d6338633db000", "550000ff04fcd44a0100e100", "550000ff02fed442ea00",
		"550000ffffff0002fed4022a00", "550000ff00ff000000ffff0000", "550000ff01ffd42c00", "550000ff08f8d460140220031104a500",
	} {
		b, _ := hex.DecodeString(seed)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		device := NewPN532(PN532Config{})
		if err := device.Present("04A1B2C3D4E580", ""); err != nil {
			t.Fatal(err)
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
			}
			if len(c.frames.buf) > longestHostFrame {
				t.Fatalf("%d bytes kept", len(c.frames.buf))
			}
			stream = stream[n:]
		}
	})
}
