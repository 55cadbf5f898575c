package emulate_test

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"traveler.example/drivers/emulate"
)

// client is a client of an LLRP reader that checks bytes.
type client struct {
	host
	in []byte
}

func connect(t *testing.T, device emulate.Device) *client {
	return &client{host: plugIn(t, device)}
}

// next returns type and body of the next message.
func (c *client) next() (kind uint16, body []byte) {
	c.t.Helper()
	c.port.SetReadDeadline(time.Now().Add(20 * time.Second))
	buf := make([]byte, 4096)
	for {
		if len(c.in) >= 10 {
			size := int(c.in[2])<<24 | int(c.in[3])<<16 | int(c.in[4])<<8 | int(c.in[5])
			if len(c.in) >= size {
				kind, body = uint16(c.in[0]&3)<<8|uint16(c.in[1]), c.in[10:size]
				c.in = c.in[size:]
				return kind, body
			}
		}
		n, err := c.port.Read(buf)
		if err != nil {
			c.t.Fatalf("got % x, then %v", c.in, err)
		}
		c.in = append(c.in, buf[:n]...)
	}
}

// ask sends a message and checks type and body of the first that comes back.
func (c *client) ask(send string, kind uint16, body string) {
	c.t.Helper()
	c.send(bytesOf(c.t, send))
	if got, b := c.next(); got != kind || !bytes.HasPrefix(b, bytesOf(c.t, body)) {
		c.t.Fatalf("%s: message %d % x\nwant %d %s", send, got, b, kind, body)
	}
}

const (
	llrpSuccess = "011f 0008 0000 0000"
	// An inventory of antenna 2 with a power of 30 dBm, as a client of a Speedway
	// sends it, and with the contents of reports.
	addInventory = "0414 00000079 00000001 00b1 006f 000004d2 00 00 00b2 0012 00b3 0005 00 00b6 0009 00 00000000" +
		"00b7 0046 0001 0002 00b8 0009 00 00000000 00ba 0035 04d2 01 00de 002e 0002 00df 0006 0001 00e0 000a 0001 0001 0051" +
		"014a 0018 00 014f 0008 0001 0000 0150 000b 00 001e 00000000 00ed 000d 02 0001 00ee 0006 9480"
)

func TestLLRPDialogue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		device := emulate.NewLLRP(emulate.LLRPConfig{})
		for _, command := range []string{"present 3034257BF7194E4000001A85 2 -61", "present 3034257BF7194E4000001A86 1", "present ABCD 2 -70 monza-r6"} {
			if err := device.Do(command); err != nil {
				t.Fatal(err)
			}
		}
		c := connect(t, device)
		if kind, body := c.next(); kind != 63 || !bytes.HasSuffix(body, bytesOf(t, "0100 0006 0000")) {
			t.Fatalf("greeting is %d % x", kind, body)
		}
		c.ask("0401 0000000b 00000001 00", 11, llrpSuccess+"0089 0050 0004 4000 0000651a 001e886a 000a 352e31342e302e323430 008b 0008 0001 0000 008d 0008 0004 0004")
		c.ask("0402 00000011 00000001 0000 02 0000 0000", 12, llrpSuccess+"00dd 0009 80 0001 0000 00dd 0009 80 0002 0000")
		c.ask("0416 0000000e 00000001 000004d2", 32, "011f") // START before ADD is refused
		c.ask(strings.Replace(addInventory, "0001 0001 0051", "0001 0001 0052", 1), 30, "011f 001a 012c 0012")
		c.ask(addInventory, 30, llrpSuccess)
		c.ask(addInventory, 30, "011f") // twice
		c.ask("0416 0000000e 00000001 000004d2", 32, "011f 001a 012c 0012")
		c.ask("0418 0000000e 00000001 000004d2", 34, llrpSuccess)
		c.ask("041a 0000000a 00000001", 36, llrpSuccess+"00b1 006f 000004d2 00 01")
		c.ask("0416 0000000e 00000001 000004d2", 32, llrpSuccess)
		kind, body := c.next()
		if want := bytesOf(t, "00f0 0027 8d 3034257bf7194e4000001a85 89 000004d2 81 0002 86 c3 82"); kind != 61 || !bytes.HasPrefix(body, want) {
			t.Errorf("report is %d % x\nwant % x", kind, body, want)
		}
		kind, body = c.next()
		if want := bytesOf(t, "00f0 0022 00f1 0008 0010 abcd 89 000004d2 81 0002 86 ba 82"); kind != 61 || !bytes.HasPrefix(body, want) {
			t.Errorf("report is %d % x\nwant % x", kind, body, want)
		}
		c.send(bytesOf(t, "0419 0000000e 00000002 000004d2"))
		for kind != 35 {
			kind, _ = c.next()
		}
		c.ask("0403 00000014 00000003 00 00dc 0009 01 000003e8", 13, llrpSuccess)
		if kind, _ := c.next(); kind != 62 {
			t.Errorf("message %d, want KEEPALIVE and no report", kind)
		}
		c.ask("0448 0000000a 00000001 042d 0000000a 00000009", 100, "011f 001b 006d 0013") // CLIENT_REQUEST_OP is not known
		c.ask("040e 0000000a 00000001", 4, llrpSuccess)
		if _, err := c.port.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("after the farewell: %v, want the end", err)
		}
	})
}

// What a reader holds, and what tags hold, outlives a connection; a second
// client is told that there is one.
func TestLLRPConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		device := emulate.NewLLRP(emulate.LLRPConfig{})
		first := connect(t, device)
		first.next()
		first.ask(addInventory, 30, llrpSuccess)
		second := connect(t, device)
		if _, body := second.next(); !bytes.HasSuffix(body, bytesOf(t, "0100 0006 0002")) {
			t.Errorf("the second is told % x, want that a client is connected", body)
		}
		first.ask("040e 0000000a 00000001", 4, llrpSuccess)
		time.Sleep(time.Second)
		third := connect(t, device)
		third.next()
		third.ask("041a 0000000a 00000001", 36, llrpSuccess+"00b1 006f 000004d2 00 00")
		third.send([]byte("GET / HTTP/1.1\r\n")) // what is no LLRP ends the connection
		if _, err := third.port.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("after noise: %v, want the end", err)
		}
	})
}

func TestLLRPCommands(t *testing.T) {
	device := emulate.NewLLRP(emulate.LLRPConfig{})
	for _, tt := range []struct{ command, want string }{
		{"present 3034257BF7194E4000001A85", ""},
		{"present 3034257bf7194e4000001a85 4 -70", ""},
		{"present 3034257BF7194E4000001A85 5", "antenna 5, there are 1 to 4"},
		{"present 3034257BF7194E4000001A85 x", `antenna "x" is not a number`},
		{"present 3034257BF7194E4000001A85 1 loud", `signal "loud" is not in dBm`},
		{"present XYZ", "is not words"},
		{"lock 3034257BF7194E4000001A85 user", ""},
		{"lock 3034257BF7194E4000001A85 attic", `no bank "attic"`},
		{"unlock ABCD user", "no tag ABCD was ever presented"},
		{"fault antenna", ""},
		{"fault antenna off", ""},
		{"fault baud", `no fault "baud"`},
		{"remove ABCD", "no tag ABCD before any antenna"},
		{"remove", ""},
		{"dance", `no command "dance"`},
	} {
		err := device.Do(tt.command)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.command, err, tt.want)
		}
	}
	if !strings.Contains(device.Help(), "refuse status giant nonsense antenna preempt") {
		t.Errorf("help is %s", device.Help())
	}
}

func TestDock(t *testing.T) {
	dock, err := emulate.Listen("127.0.0.1:0", emulate.NewLLRP(emulate.LLRPConfig{}))
	if err != nil {
		t.Fatal(err)
	}
	defer dock.Close()
	for range 2 {
		conn, err := net.Dial("tcp", dock.Address())
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 32)
		if _, err := io.ReadFull(conn, buf); err != nil || buf[1] != 63 {
			t.Fatalf("greeting is % x, %v", buf, err)
		}
		if err := dock.Do("fault unplug"); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(buf); err == nil {
			t.Error("the connection stands while the device is unplugged")
		}
		conn.Close()
		if conn, err := net.Dial("tcp", dock.Address()); err == nil {
			conn.Close()
			t.Error("a connection is accepted while the device is unplugged")
		}
		if err := dock.Do("fault unplug off"); err != nil {
			t.Fatal(err)
		}
	}
	dock.Close()
	if err := dock.Replug(); err == nil {
		t.Error("a closed dock is plugged in again")
	}
	if !strings.HasSuffix(dock.Help(), "\nfault unplug [off]") || dock.Do("dance") == nil {
		t.Error("the dock does not pass on what the device knows")
	}
}
