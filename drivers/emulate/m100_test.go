package emulate_test

import (
	"strings"
	"testing"

	"traveler.example/drivers/emulate"
)

const (
	gen2EPC    = "30751FEB705C5904E3D50D70"
	gen2Answer = "0e 3400 30751feb705c5904e3d50d70"
)

// The frames that the documents print, in both framings, with the right
// checksums.
func TestM100AnswersAsPublished(t *testing.T) {
	for _, aa := range []bool{false, true} {
		device := emulate.NewM100(emulate.M100Config{AA: aa})
		if err := device.Do("present " + gen2EPC + " higgs-3 -55"); err != nil {
			t.Fatal(err)
		}
		h := plugIn(t, device)
		published := dialogue{
			{"bb 00 03 00 01 00 04 7e", "bb 01 03 00 0b 00 4d3130302056312e3030 22 7e"},
			{"bb 00 22 00 00 22 7e", "bb 02 22 00 11 c9 3400 30751feb705c5904e3d50d70 3a76 ef 7e"},
			{"bb 00 0c 00 13 01 00000020 60 00 30751feb705c5904e3d50d70 ad 7e", "bb 01 0c 00 01 00 0e 7e"},
			{"bb 00 49 00 0d 00000000 03 0000 0002 12345678 6f 7e", "bb 01 49 00 10" + gen2Answer + "00 a9 7e"},
			{"bb 00 39 00 09 00000000 03 0000 0002 47 7e", "bb 01 39 00 13" + gen2Answer + "12345678 b0 7e"},
			{"bb 00 39 00 09 0000ffff 03 0000 0002 45 7e", "bb 01 ff 00 10 16" + gen2Answer + "75 7e"},
			{"bb 00 39 00 09 00000000 03 0020 0001 66 7e", "bb 01 ff 00 10 a3" + gen2Answer + "02 7e"},
			{"bb 00 49 00 0b 00000000 03 0020 0001 0000 78 7e", "bb 01 ff 00 10 b3" + gen2Answer + "12 7e"},
			{"bb 00 b6 00 02 07d0 8f 7e", "bb 01 b6 00 01 00 b8 7e"},
			{"bb 00 b7 00 00 b7 7e", "bb 01 b7 00 02 07d0 91 7e"},
			{"bb 00 0d 00 00 0d 7e", "bb 01 0d 00 02 1020 40 7e"},
			{"bb 00 08 00 00 08 7e", "bb 01 08 00 01 01 0b 7e"},
			{"bb 00 28 00 00 28 7e", "bb 01 28 00 01 00 2a 7e"},
			{"bb 00 99 00 00 99 7e", "bb 01 ff 00 01 17 18 7e"},
			{"bb 00 28 00 00 29 7e bb 00 28 00 00 28 7e", "bb 01 28 00 01 00 2a 7e"}, // a wrong checksum is passed over
			{"bb 00 17 00 00 17 7e", "bb 01 17 00 01 00 19 7e"},
		}
		for _, line := range published {
			send, want := bytesOf(t, line.send), bytesOf(t, line.want)
			if aa {
				otherFraming(send)
				otherFraming(want)
			}
			h.send(send)
			h.expect(want)
		}
		if aa {
			continue
		}
		h.send(bytesOf(t, "bb 00 28 00 00 28 7e"))
		h.nothing() // it slept, and lost the command that woke it
		h.run(dialogue{{"bb 00 b7 00 00 b7 7e", "bb 01 b7 00 02 0a28 ec 7e"}})
		if err := device.Remove(gen2EPC); err != nil {
			t.Fatal(err)
		}
		h.run(dialogue{
			{"bb 00 22 00 00 22 7e", "bb 01 ff 00 01 15 16 7e"},
			{"bb 00 39 00 09 00000000 03 0000 0002 47 7e", "bb 01 ff 00 01 09 0a 7e"},
			{"bb 00 49 00 0b 00000000 03 0000 0001 0000 58 7e", "bb 01 ff 00 01 10 11 7e"},
			{"bb 00 27 00 03 22 0002 4e 7e", "bb 01 ff 00 01 15 16 7e bb 01 ff 00 01 15 16 7e"},
		})
		h.nothing() // two rounds were asked for
	}
}

func otherFraming(b []byte) {
	for i := 0; i < len(b); {
		b[i] = 0xAA
		i += 7 + int(b[i+3])*256 + int(b[i+4])
		b[i-1] = 0xDD
	}
}

func TestM100Commands(t *testing.T) {
	for _, tt := range []struct{ command, want string }{
		{"present 3034257BF7194E4000001A85 monza-r6 -60", ""},
		{"present 3034257bf7194e4000001a85", "in the field already"},
		{"present 30FF", ""},
		{"present 303", "not words of four hex digits"},
		{"present 303", "303"},
		{"present 3035 monza-7", "no chip"},
		{"present " + strings.Repeat("AB", 64), "holds 62"},
		{"present " + strings.Repeat("AB", 14) + " monza-r6", "holds 12"},
		{"present 3036 higgs-9 loud", "loud"},
		{"rssi 30FF -70", ""},
		{"rssi 30FF 12", "not between"},
		{"rssi AAAA -70", "no tag AAAA"},
		{"lock 30FF user", ""},
		{"lock 30FF user off", ""},
		{"lock 30FF door", "no bank"},
		{"password 30FF 12345678", ""},
		{"password 30FF 1234", "eight hex digits"},
		{"fault weak", ""},
		{"fault weak off", ""},
		{"fault tired", "no fault"},
		{"remove 30ff", ""},
		{"remove 30ff", "no tag 30FF"},
		{"remove", ""},
		{"dance", "no command"},
		{"", "no command"},
	} {
		device := emulate.NewM100(emulate.M100Config{})
		for _, before := range []string{"present 3034257BF7194E4000001A85 monza-r6 -60", "present 30FF"} {
			if before != tt.command {
				device.Do(before)
			}
		}
		if strings.HasPrefix(tt.command, "remove 30ff") && tt.want != "" {
			device.Do("remove 30ff")
		}
		err := device.Do(tt.command)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.command, err, tt.want)
		}
	}
	help := emulate.NewM100(emulate.M100Config{}).Help()
	for _, word := range []string{"present", "remove", "rssi", "lock", "password", "torn-write", "neighbour"} {
		if !strings.Contains(help, word) {
			t.Errorf("help does not name %s", word)
		}
	}
}

// A tag keeps what was written to it while it is away.
func TestM100TagKeepsItsMemory(t *testing.T) {
	device := emulate.NewM100(emulate.M100Config{})
	h := plugIn(t, device)
	if err := device.Present(gen2EPC, "ucode-7xm-1k"); err != nil {
		t.Fatal(err)
	}
	h.run(dialogue{{"bb 00 49 00 0b 00000000 03 0001 0001 beef 06 7e", "bb 01 49 00 10" + gen2Answer + "00 a9 7e"}})
	if err := device.Remove(""); err != nil {
		t.Fatal(err)
	}
	if err := device.Present(gen2EPC, ""); err != nil {
		t.Fatal(err)
	}
	if b, err := device.Bank(gen2EPC, "user"); err != nil || len(b) != 128 || b[2] != 0xBE || b[3] != 0xEF {
		t.Errorf("the tag holds % x, %v", b, err)
	}
}
