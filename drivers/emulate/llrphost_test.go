package emulate

import (
	"context"
	"encoding/hex"
	"testing"
)

// Whatever a host sends, the reader neither panics nor keeps more than its
// limits of it.
func FuzzLLRPHost(f *testing.F) {
	const (
		inventory = "04140000007900000001" + "00b1006f000004d20000" + "00b2001200b300050000b600090000000000" +
			"00b700460001000200b80009000000000000ba003504d20100de002e000200df0006000100e0000a000100010051" +
			"014a001800014f0008000100000150000b00001e00000000" + "00ed000d02000100ee00069480"
		run    = "04180000000e00000002000004d2" + "04160000000e00000003000004d2"
		access = "04280000004c00000001" + "00cf0042000000010000010000000002" + "00d00007010001" +
			"00d10026015200130153000f6000200010ffff0010abcd" + "0155000f000300000000c00004000500ef000500"
	)
	for _, seed := range []string{
		inventory, inventory + run, inventory + run + access + "042a0000000e0000000100000001",
		"04010000000b0000000100", "0403000000140000000300" + "00dc000901000003e8", "040e0000000a00000001", "047f7fffffff00000001",
	} {
		b, _ := hex.DecodeString(seed)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		device := NewLLRP(LLRPConfig{})
		if err := device.Present("ABCD", 2, -50, ""); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // what it says goes nowhere
		s := &llrpSession{LLRP: device, wire: &wire{ctx: ctx, faults: device.faults}, events: map[uint16]bool{}}
		for len(stream) > 0 && !s.over {
			n := min(len(stream), 512)
			s.receive(stream[:n])
			s.round()
			stream = stream[n:]
		}
		if s.keepalive != nil {
			s.keepalive.Stop()
		}
		if len(s.in) > longestLLRPMessage+512 || len(device.inventories) > llrpMaxROSpecs || len(device.accesses) > llrpMaxAccess {
			t.Errorf("it keeps %d bytes, %d inventories and %d accesses", len(s.in), len(device.inventories), len(device.accesses))
		}
	})
}
