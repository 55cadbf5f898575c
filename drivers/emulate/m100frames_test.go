package emulate

import (
	"context"
	"encoding/hex"
	"testing"
)

// Whatever a host sends, the module neither panics nor keeps more than a frame
// of it.
func FuzzM100Frames(f *testing.F) {
	for _, seed := range []string{
		"bb00220000227e", "bb0027000322271083" + "7e", "bb000c00130100000020600030751feb705c5904e3d50d70ad7e",
		"bb003900090000ffff0300000002457e", "bb0049000d0000ffff0300000002123456786d7e", "bb0017000017" + "7e", "bb00b6000207d08f7e",
		"bb00bb00bb00280000287e", "bb0039000900000000ffffffffff3d7e",
	} {
		b, _ := hex.DecodeString(seed)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		device := NewM100(M100Config{})
		if err := device.Present("30751FEB705C5904E3D50D70", "higgs-3"); err != nil {
			t.Fatal(err)
		}
		w := &wire{ctx: context.Background(), faults: device.faults, out: make(chan packet, 1)}
		ended, end := context.WithCancel(context.Background())
		end()
		w.ctx = ended // nobody reads
		m := &m100Module{M100: device, wire: w}
		m.powerUp()
		for _, b := range stream {
			m.hear([]byte{b})
			if len(m.frames.buf) > longestM100+overheadM100 {
				t.Fatalf("%d bytes kept", len(m.frames.buf))
			}
		}
	})
}

const overheadM100 = 7
