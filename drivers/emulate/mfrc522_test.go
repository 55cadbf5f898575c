package emulate_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"

	"traveler.example/drivers/emulate"
)

// registers are a host's hands on the registers of an MFRC522.
type registers struct {
	*testing.T
	conn spi.Conn
}

// onRegisters runs a test in virtual time on a chip that has its power for long.
func onRegisters(t *testing.T, cfg emulate.MFRC522Config, check func(r registers, device *emulate.MFRC522)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		device := emulate.NewMFRC522(cfg)
		time.Sleep(time.Second)
		port, err := device.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		conn, err := port.Connect(10*physic.MegaHertz, spi.Mode0, 8)
		if err != nil {
			t.Fatal(err)
		}
		check(registers{t, conn}, device)
		if err := port.Close(); err != nil {
			t.Error(err)
		}
	})
}

func (r registers) write(register byte, values ...byte) {
	r.Helper()
	if err := r.conn.Tx(append([]byte{register << 1}, values...), nil); err != nil {
		r.Fatal(err)
	}
}

func (r registers) read(list ...byte) []byte {
	r.Helper()
	w := make([]byte, len(list)+1)
	for i, x := range list {
		w[i] = 0x80 | x<<1
	}
	got := make([]byte, len(w))
	if err := r.conn.Tx(w, got); err != nil {
		r.Fatal(err)
	}
	return got[1:]
}

func (r registers) want(register, value byte) {
	r.Helper()
	if got := r.read(register)[0]; got != value {
		r.Errorf("register %02X is %02X, want %02X", register, got, value)
	}
}

// prepare switches the field on for tags of type A, with a timer of 25 ms.
func (r registers) prepare() {
	for _, s := range [][2]byte{{0x2A, 0x80}, {0x2B, 0xA9}, {0x2C, 0x03}, {0x2D, 0xE8}, {0x15, 0x40}, {0x11, 0x3D}, {0x0E, 0x00}, {0x14, 0x83}} {
		r.write(s[0], s[1])
	}
	time.Sleep(10 * time.Millisecond)
}

// say transceives a frame and returns the FIFO, ErrorReg, ControlReg, CollReg.
func (r registers) say(framing byte, text string) (fifo string, status []byte) {
	r.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		r.Fatal(err)
	}
	r.write(0x01, 0x00)
	r.write(0x04, 0x7F)
	r.write(0x0A, 0x80)
	r.write(0x09, b...)
	r.write(0x0D, framing)
	r.write(0x01, 0x0C)
	r.write(0x0D, framing|0x80)
	for range 100 {
		time.Sleep(500 * time.Microsecond)
		if r.read(0x04)[0]&0x31 != 0 {
			break
		}
	}
	level := r.read(0x0A)[0]
	list := bytes.Repeat([]byte{0x09}, int(level))
	return fmt.Sprintf("%x", r.read(list...)), r.read(0x06, 0x0C, 0x0E)
}

func TestMFRC522Registers(t *testing.T) {
	onRegisters(t, emulate.MFRC522Config{}, func(r registers, device *emulate.MFRC522) {
		for register, value := range map[byte]byte{
			0x01: 0x20, 0x02: 0x80, 0x04: 0x14, 0x07: 0x21, 0x0A: 0x00, 0x0C: 0x10, 0x11: 0x3F, 0x14: 0x80, 0x21: 0xFF, 0x26: 0x48, 0x37: 0x92,
		} {
			r.want(register, value)
		}
		// Set1: marked bits are set with bit 7, else cleared.
		r.write(0x04, 0x7F)
		r.want(0x04, 0x04) // the FIFO is empty, which sets LoAlert again
		r.write(0x04, 0xA1)
		r.want(0x04, 0x25)
		r.write(0x04, 0x01)
		r.want(0x04, 0x24)
		// One transfer fills the FIFO, one empties it; a byte too many is told.
		r.write(0x09, bytes.Repeat([]byte{0x5A}, 65)...)
		r.want(0x0A, 64)
		r.want(0x06, 0x10)
		if got := r.read(0x09, 0x09, 0x0A, 0x37); !bytes.Equal(got, []byte{0x5A, 0x5A, 62, 0x92}) {
			t.Errorf("read % x", got)
		}
		r.write(0x0A, 0x80)
		r.want(0x0A, 0)
		r.want(0x06, 0)
		// The coprocessor: CRC_A of a SELECT is b9 9c, lower byte first.
		r.write(0x11, 0x3D)
		r.write(0x05, 0x04)
		r.write(0x09, 0x93, 0x70, 0xDE, 0xAD, 0xBE, 0xEF, 0x22)
		r.write(0x01, 0x03)
		r.want(0x05, 0x04)
		r.want(0x22, 0xB9)
		r.want(0x21, 0x9C)
		// MFCrypto1On cannot be set; an unknown command ends at once.
		r.write(0x08, 0x08)
		r.want(0x08, 0x00)
		r.write(0x04, 0x7F)
		r.write(0x01, 0x05)
		r.want(0x04, 0x14)
		r.write(0x26, 0x70)
		r.write(0x01, 0x0F)
		r.want(0x26, 0x48)
		// After a loss of power the oscillator has to start.
		device.Unplug()
		r.want(0x37, 0x00)
		device.Replug()
		r.want(0x01, 0x30)
		r.write(0x26, 0x70)
		time.Sleep(time.Millisecond)
		r.want(0x01, 0x20)
		r.want(0x26, 0x48)
	})
}

func TestMFRC522Timer(t *testing.T) {
	onRegisters(t, emulate.MFRC522Config{}, func(r registers, _ *emulate.MFRC522) {
		r.prepare()
		started := time.Now()
		r.write(0x04, 0x7F)
		r.write(0x09, 0x26)
		r.write(0x01, 0x0C)
		r.write(0x0D, 0x87) // REQA to an empty field
		for r.read(0x04)[0]&0x01 == 0 {
			time.Sleep(10 * time.Microsecond)
		}
		if took := time.Since(started).Round(100 * time.Microsecond); took != 25100*time.Microsecond {
			t.Errorf("the timer ran out after %v, want 25 ms and 0.1 ms for the request", took)
		}
		r.write(0x0C, 0x40) // by hand
		time.Sleep(10 * time.Millisecond)
		if got := r.read(0x2E, 0x2F); got[0] != 600>>8 || got[1] < 600&0xFF-1 || got[1] > 600&0xFF+1 {
			t.Errorf("the counter stands at % x after 10 of 25 ms, want 600", got)
		}
		r.write(0x0C, 0x80)
		r.write(0x04, 0x7F)
		time.Sleep(30 * time.Millisecond)
		r.want(0x04, 0x04)
		// Bytes that come while an answer is awaited are an error.
		r.write(0x0D, 0x07)
		r.write(0x01, 0x00)
		r.write(0x09, 0x26)
		r.write(0x01, 0x0C)
		r.write(0x0D, 0x87)
		r.write(0x09, 0x26)
		r.want(0x06, 0x80)
	})
}

// A dialogue with two tags, with what the standard says of each state.
func TestMFRC522Air(t *testing.T) {
	onRegisters(t, emulate.MFRC522Config{}, func(r registers, device *emulate.MFRC522) {
		device.Present("DEADBEEF", "classic1k")
		device.Present("04A1B2C3D4E580", "ntag213")
		r.prepare()
		for _, tt := range []struct {
			name    string
			framing byte
			send    string
			fifo    string
			status  string // ErrorReg, ControlReg, CollReg
		}{
			{"request: the answers differ in bit 7", 0x07, "26", "4400", "08 10 07"},
			{"anticollision: the identifiers differ in bit 2", 0, "93 20", "0200000000", "08 10 02"},
			{"with two bits known, the one with a one", 0x22, "93 22 02", "dcadbeef22", "00 10 20"},
			{"select", 0, "93 70 deadbeef22 b99c", "08b6dd", "00 10 20"},
			{"request: the other fell back to idle", 0x07, "26", "4400", "00 10 20"},
			{"again: that one falls back now, and the first answers", 0x07, "26", "0400", "00 10 20"},
			{"a halt is for active tags; others fall back to idle", 0, "50 00 57cd", "", "00 10 20"},
			{"both again", 0x07, "26", "4400", "08 10 07"},
			{"anticollision, none of them", 0x22, "93 22 03", "", "00 10 07"},
			{"the one with a zero, cascade tag first", 0x22, "93 22 00", "8804a1b29f", "00 10 20"},
			{"select of the first part", 0, "93 70 8804a1b29f 6c6f", "04da17", "00 10 20"},
			{"second part, all bits but two", 0x66, "95 56 c3d4e500", "8072", "00 10 20"},
			{"check byte alone", 0, "95 60 c3d4e580", "72", "00 10 20"},
		} {
			if tt.name == "select of the first part" {
				tt.send = "93 70 8804a1b29f " + crcOf(t, "93708804a1b29f")
			}
			fifo, status := r.say(tt.framing, tt.send)
			if got := fmt.Sprintf("% x", status); fifo != tt.fifo || got != tt.status {
				t.Errorf("%s: FIFO %s, status %s; want %s, %s", tt.name, fifo, got, tt.fifo, tt.status)
			}
		}
	})
}

func crcOf(t *testing.T, text string) string {
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	crc := uint16(0x6363)
	for _, x := range b {
		for i := range 8 {
			bit := (crc ^ uint16(x>>i)) & 1
			crc >>= 1
			crc ^= bit * 0x8408
		}
	}
	return fmt.Sprintf("%02x%02x", byte(crc), byte(crc>>8))
}

// The cipher goes on with an authentication only, and off in clear; a tag that
// was opened understands nothing else meanwhile.
func TestMFRC522Authentication(t *testing.T) {
	onRegisters(t, emulate.MFRC522Config{}, func(r registers, device *emulate.MFRC522) {
		device.Present("DEADBEEF", "classic1k")
		r.prepare()
		open := func(uid ...byte) (irq, status2 byte) {
			for _, s := range []string{"26", "93 70 deadbeef22 b99c"} {
				r.say(map[bool]byte{true: 0x07}[s == "26"], s)
			}
			r.write(0x01, 0x00)
			r.write(0x04, 0x7F)
			r.write(0x0D, 0x00)
			r.write(0x01, 0x0E)
			r.write(0x09, append([]byte{0x60, 4, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, uid...)...)
			time.Sleep(50 * time.Millisecond)
			return r.read(0x04)[0] & 0x11, r.read(0x08)[0]
		}
		if irq, status2 := open(0xDE, 0xAD, 0xBE, 0x00); irq != 0x01 || status2 != 0 {
			t.Errorf("with another identifier: ComIrqReg %02X, Status2Reg %02X; want the timer", irq, status2)
		}
		r.say(0x07, "26") // it was sent back
		r.say(0, "50 00 57cd")
		if irq, status2 := open(0xDE, 0xAD, 0xBE, 0xEF); irq != 0x10 || status2 != 0x08 {
			t.Errorf("ComIrqReg %02X, Status2Reg %02X; want idle and the cipher on", irq, status2)
		}
		read := "30 04 " + crcOf(t, "3004")
		if fifo, _ := r.say(0, read); len(fifo) != 36 {
			t.Errorf("an opened block reads %s", fifo)
		}
		r.write(0x08, 0x00)
		r.want(0x08, 0x00)
		if fifo, _ := r.say(0, read); fifo != "" {
			t.Errorf("a block was read in clear: %s", fifo)
		}
	})
}

func TestMFRC522Pins(t *testing.T) {
	onRegisters(t, emulate.MFRC522Config{}, func(r registers, device *emulate.MFRC522) {
		irq := device.IRQ()
		if err := irq.In(gpio.PullUp, gpio.FallingEdge); err != nil {
			t.Fatal(err)
		}
		r.prepare()
		r.write(0x04, 0x7F)
		r.write(0x02, 0x80|0x01) // the timer, low on request
		if irq.Read() != gpio.High || irq.WaitForEdge(10*time.Millisecond) {
			t.Error("the pin moved without a reason")
		}
		started := time.Now()
		r.write(0x0C, 0x40)
		if !irq.WaitForEdge(time.Second) || irq.Read() != gpio.Low {
			t.Error("the pin did not tell of the timer")
		}
		if took := time.Since(started).Round(time.Millisecond); took != 25*time.Millisecond {
			t.Errorf("told after %v, want 25 ms", took)
		}
		if irq.WaitForEdge(time.Millisecond) {
			t.Error("one edge was told twice")
		}
		r.write(0x04, 0x01)
		if irq.Read() != gpio.High {
			t.Error("the pin stays though the request was cleared")
		}
		reset := device.Reset()
		reset.Out(gpio.Low)
		r.want(0x37, 0x00)
		reset.Out(gpio.High)
		time.Sleep(time.Millisecond)
		r.want(0x37, 0x92)
		r.want(0x14, 0x80) // the field is off
	})
}

// Tags hear what a reader of type A sends as it should be sent, and nothing else.
func TestMFRC522NeedsSettings(t *testing.T) {
	for name, s := range map[string][2]byte{"no antenna": {0x14, 0x80}, "weak modulation": {0x15, 0x00}, "212 kbit/s": {0x12, 0x10}} {
		onRegisters(t, emulate.MFRC522Config{}, func(r registers, device *emulate.MFRC522) {
			device.Present("DEADBEEF", "")
			r.prepare()
			if fifo, _ := r.say(0x07, "26"); fifo != "0400" {
				t.Errorf("%q answers", fifo)
			}
			r.say(0, "50 00 57cd")
			r.write(s[0], s[1])
			if fifo, _ := r.say(0x07, "26"); fifo != "" {
				t.Errorf("%s: a tag answers %s", name, fifo)
			}
		})
	}
}

func TestMFRC522PortIsStrict(t *testing.T) {
	device := emulate.NewMFRC522(emulate.MFRC522Config{})
	port, err := device.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		clock physic.Frequency
		mode  spi.Mode
		bits  int
	}{{11 * physic.MegaHertz, spi.Mode0, 8}, {physic.MegaHertz, spi.Mode3, 8}, {physic.MegaHertz, spi.Mode0, 16}, {0, spi.Mode0, 8}} {
		if _, err := port.Connect(tt.clock, tt.mode, tt.bits); err == nil {
			t.Errorf("took %v, %v, %d bits", tt.clock, tt.mode, tt.bits)
		}
	}
	if _, err := device.Open(t.Context()); err == nil {
		t.Error("opened twice")
	}
	conn, err := port.Connect(physic.MegaHertz, spi.Mode0, 8)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Tx([]byte{0xEE, 0}, make([]byte, 1)); err == nil {
		t.Error("took a transfer of two lengths")
	}
	if err := port.Close(); err != nil {
		t.Fatal(err)
	}
	if conn.Tx([]byte{0xEE, 0}, make([]byte, 2)) == nil || port.Close() == nil {
		t.Error("a closed port works")
	}
}

func TestMFRC522Commands(t *testing.T) {
	device := emulate.NewMFRC522(emulate.MFRC522Config{})
	for _, tt := range []struct{ command, want string }{
		{"present DEADBEEF", ""},
		{"present deadbeef", "in the field already"},
		{"present 112233", "3 bytes"},
		{"memory DEADBEEF 1", ""},
		{"memory 01020304", "no tag"},
		{"remove 11223344", "no tag"},
		{"remove", ""},
		{"fault stuck-irq", ""},
		{"fault stuck-irq off", ""},
		{"fault fire", "no fault"},
		{"dance", "no command"},
		{"unplug", ""},
		{"replug", ""},
	} {
		if err := device.Do(tt.command); (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.command, err, tt.want)
		}
	}
	if !strings.Contains(device.Help(), "stuck-irq") {
		t.Error(device.Help())
	}
}

// FuzzMFRC522 writes anything to the registers with tags in the field: the chip
// never panics, and its FIFO stays what it is.
func FuzzMFRC522(f *testing.F) {
	for _, seed := range []string{
		"0f", // a soft reset
		"2a80 2ba9 2c03 2de8 1540 113d 0e00 1483 0952 0d07 010c 0d87 ff00 ff00",
		"1483 1540 010e 0960 0904 09ff 09ff 09ff 09ff 09ff 09ff 09de 09ad 09be 09ef ff00",
		"1483 1540 1280 1380 0993 0920 010c 0df7 ff00",
	} {
		b, _ := hex.DecodeString(strings.ReplaceAll(seed, " ", ""))
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 4096 {
			return
		}
		onRegisters(t, emulate.MFRC522Config{}, func(r registers, device *emulate.MFRC522) {
			device.Present("DEADBEEF", "classic1k")
			device.Present("04A1B2C3D4E580", "ntag213")
			time.Sleep(10 * time.Millisecond)
			for ; len(script) >= 2; script = script[2:] {
				if script[0] == 0xFF { // a pause
					time.Sleep(time.Duration(script[1]) * 100 * time.Microsecond)
					continue
				}
				r.write(script[0]&0x3F, script[1])
				if got := r.read(0x0A, 0x06, 0x09, 0x2E); got[0] > 64 {
					t.Fatalf("FIFO of %d bytes", got[0])
				}
			}
		})
	})
}
