package emulate_test

import (
	"slices"
	"testing"

	"traveler.example/drivers/emulate"
)

// talk runs a dialogue of commands and responses without their frames, with a
// chip that is awake.
func talk(t *testing.T, device *emulate.PN532, d dialogue) {
	t.Helper()
	h := plugIn(t, device)
	h.run(dialogue{{wake, ack + "0000ff02fed5151600"}})
	talkOn(h, d)
}

func talkOn(h host, d dialogue) {
	h.t.Helper()
	for _, line := range d {
		h.send(frame(0xD4, bytesOf(h.t, line.send)))
		h.expect(append(bytesOf(h.t, ack), frame(0xD5, bytesOf(h.t, line.want))...))
	}
}

const (
	listClassic = "4b01 01000408 04 1a2b3c4d"
	listNTAG    = "4b01 01004400 07 04a1b2c3d4e580"
	openSector1 = "4001 6004 ffffffffffff 1a2b3c4d"
	zeroBlock   = "00000000000000000000000000000000"
)

func TestPN532Exchanges(t *testing.T) {
	classic, ntag := "present 1A2B3C4D", "present 04A1B2C3D4E580"
	tests := []struct {
		name string
		tags []string
		dialogue
	}{
		{"no target", nil, dialogue{{"4001 3000", "4127"}, {"4001", "4110"}, {"42 3000", "4301"}, {"5401", "5527"}}},
		{"type 2", []string{ntag}, dialogue{
			{"4a0100", listNTAG},
			{"4001 3003", "4100 e1101200 0103a00c 340300fe 00000000"},
			{"4001 a205 01020304", "4100"},
			{"4001 a006 0a0b0c0d000000000000000000000000", "4100"},
			{"42 3a0506", "4300 01020304 0a0b0c0d"},
			{"42 60", "4300 0004040201000f03"},
			{"4001 a000 01020304", "4110"}, // not 16 bytes
			{"4001 302d", "4113"},
			{"4001 3003", "4101"}, // it fell back
			{"4a0100", listNTAG},
			{"4001 a200 01020304", "4113"},
		}},
		{"Classic", []string{classic}, dialogue{
			{"4a0100", listClassic},
			{"4001 3004", "4101"},
			{"4a0100", listClassic},
			{"4001 6004 a0a1a2a3a4a5 1a2b3c4d", "4114"},
			{openSector1, "4114"}, // it halted
			{"4a0100", listClassic},
			{openSector1, "4100"},
			{"06 6338", "07 08"},
			{"4001 3004", "4100" + zeroBlock},
			{"4001 a005 05000000 faffffff 05000000 01fe01fe", "4100"},
			{"4001 c105 03000000", "4100"},
			{"4001 b006", "4100"},
			{"4001 3006", "4100 08000000 f7ffffff 08000000 01fe01fe"},
			{"4001 c004 00000000", "4113"},
			{"4001 60", "4110"},
		}},
		{"InSelect and InDeselect", []string{ntag}, dialogue{
			{"4a0100", listNTAG},
			{"4401", "4500"},
			{"42 3003", "4301"},
			{"5401", "5500"},
			{"42 3003", "4300 e1101200 0103a00c 340300fe 00000000"},
			{"4400", "4500"},
			{"4001 3003", "4100 e1101200 0103a00c 340300fe 00000000"}, // selected on demand
			{"4e010000", "4f00"},
			{"4402", "4527"},
			{"5200", "5300"},
			{"4001 3003", "4127"},
		}},
		{"two targets", []string{classic, ntag}, dialogue{
			{"4a0200", "4b02 01000408 04 1a2b3c4d 02004400 07 04a1b2c3d4e580"},
			{"04", "05 00 01 02 01000000 02000000 80"},
			{openSector1, "4100"},
			{"4001 3004", "4100" + zeroBlock},
			{"4002 3003", "4100 e1101200 0103a00c 340300fe 00000000"},
			{"4001 3004", "4101"}, // to speak to the other one ended it
			{"5202", "5300"},
			{"4002 3003", "4127"},
		}},
		{"the second is found when the first was halted", []string{classic, ntag}, dialogue{
			{"4a0100", listClassic}, {"4400", "4500"}, {"4a0100", listNTAG}, {"4400", "4500"}, {"4a0100", listClassic},
		}},
		{"field off", []string{ntag}, dialogue{{"4a0100", listNTAG}, {"320100", "33"}, {"4001 3003", "4101"}}},
		{"checksums are the host's", []string{ntag}, dialogue{
			{"4a0100", listNTAG},
			{"08 6302 00 6303 00", "09"},
			{"42 60 f832", "4300 0004040201000f03 8091"},
			{"42 a205 01020304 3c5c", "4300 0a"},
			{"06 633c", "0704"},
			{"42 302d bf54", "4301"}, // wrong
		}},
		{"four bits have no checksum", []string{ntag}, dialogue{
			{"4a0100", listNTAG}, {"42 a205 01020304", "4302"}, {"42 302d", "4302"}, {"42 3003", "4301"},
		}},
		{"encrypted or not", []string{classic}, dialogue{
			{"4a0100", listClassic},
			{openSector1, "4100"},
			{"42 3004", "4300" + zeroBlock},
			{"08 6338 00", "09"},
			{"42 3004", "4301"},
		}},
		{"bits", []string{ntag}, dialogue{{"4a0100", listNTAG}, {"08 633d 07", "09"}, {"42 26", "4301"}, {"08 633d 00", "09"}, {"42 3003", "4301"}}},
		{"two answers at once", []string{classic, ntag}, dialogue{
			{"320101", "33"},
			{"08 633d 07", "09"},
			{"42 26", "4306"},
			{"08 633d 00 6303 80", "09"},
			{"42 9320", "4306"},
		}},
		{"own selection", []string{classic}, dialogue{
			{"42 26", "4301"}, // the field is off
			{"320101", "33"},
			{"08 633d 07", "09"},
			{"42 26", "4300 0400"},
			{"08 633d 00", "09"},
			{"42 9320", "4300 1a2b3c4d40"},
			{"08 6302 80 6303 80", "09"},
			{"42 9370 1a2b3c4d40", "4300 08"},
			{"4001 3004", "4127"}, // the firmware knows nothing of it
			{"42 5000", "4301"},
			{"4a0100", listClassic},
		}},
		{"peers", nil, dialogue{{"560000", "5701"}, {"50010000", "5101"}, {"46010000", "4701"}}},
		{"sealed", []string{"present 04112233445566 desfire"}, dialogue{
			{"4a0100", "4b01 01034420 07 04112233445566 067577810280"}, {"0006", "0100"}, {"4001 60", "4110"}, {"4001 90af000000", "4101"}, {"0006", "0100"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			device := emulate.NewPN532(emulate.PN532Config{})
			for _, tag := range tt.tags {
				if err := device.Do(tag); err != nil {
					t.Fatal(err)
				}
			}
			talk(t, device, tt.dialogue)
		})
	}
}

// A tag that left is not the one that the chip selected when it is back.
func TestPN532LosesTags(t *testing.T) {
	device := emulate.NewPN532(emulate.PN532Config{})
	h := plugIn(t, device)
	h.run(dialogue{{wake, ack + "0000ff02fed5151600"}})
	for _, c := range []string{"present 04A1B2C3D4E580", "remove"} {
		if err := device.Do(c); err != nil {
			t.Fatal(err)
		}
		if c == "remove" {
			break
		}
		talkOn(h, dialogue{{"4a0100", listNTAG}, {"4001 a206 01020304", "4100"}})
	}
	talkOn(h, dialogue{{"4001 3006", "4101"}, {"42 3006", "4301"}})
	if err := device.Present("04A1B2C3D4E580", ""); err != nil {
		t.Fatal(err)
	}
	talkOn(h, dialogue{{"4001 3006", "4101"}, {"4a0100", listNTAG}, {"4001 3006", "4100 01020304 00000000 00000000 00000000"}})
}

func TestPN532TellsOfWrites(t *testing.T) {
	device := emulate.NewPN532(emulate.PN532Config{})
	var told []string
	device.Observe(func(a emulate.Act) {
		if a.Verb == emulate.DidWrite {
			told = append(told, a.String())
		}
	})
	if err := device.Do("present 1A2B3C4D"); err != nil {
		t.Fatal(err)
	}
	talk(t, device, dialogue{
		{"4a0100", listClassic},
		{openSector1, "4100"},
		{"4001 a005 05000000 faffffff 05000000 01fe01fe", "4100"},
		{"4001 c105 03000000", "4100"},
		{"4001 b006", "4100"},
		{"4001 a008 " + zeroBlock, "4113"},
		{"02", "0332010607"},
	})
	if want := []string{
		"host write 1A2B3C4D 5 05000000FAFFFFFF0500000001FE01FE", "host write 1A2B3C4D 6 08000000F7FFFFFF0800000001FE01FE",
	}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

// A weak tag is found as any other, but commands fail, some before the tag did
// what they say and some after.
func TestPN532WeakTag(t *testing.T) {
	device := emulate.NewPN532(emulate.PN532Config{})
	if err := device.Do("present 04A1B2C3D4E580 ultralight"); err != nil {
		t.Fatal(err)
	}
	if err := device.Fault(emulate.FaultWeak, true); err != nil {
		t.Fatal(err)
	}
	const list = "4b01 01004400 07 04a1b2c3d4e580"
	talk(t, device, dialogue{
		{"4a0100", list},
		{"4001 a204 01010101", "4100"},
		{"4001 a205 02020202", "4100"},
		{"4001 a206 03030303", "4102"},
		{"4001 a207 04040404", "4100"},
		{"4001 a208 05050505", "4100"},
		{"4001 a209 06060606", "4101"},
		{"4001 a20a 07070707", "4101"},
		{"4a0100", list},
		{"4001 3006", "4100 03030303 04040404 05050505 00000000"},
	})
}
