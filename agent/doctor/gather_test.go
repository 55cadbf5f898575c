package doctor

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"traveler.example/agent"
	profiles "traveler.example/firmware-profiles"
	"traveler.example/ledger"
)

// authority issues certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key, pool: x509.NewCertPool()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: noon.AddDate(-10, 0, 0), NotAfter: noon.AddDate(10, 0, 0), KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert = a.sign(t, template, template)
	a.pool.AddCert(a.cert)
	return a
}

func (a *authority) sign(t *testing.T, template, parent *x509.Certificate) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (a *authority) issue(t *testing.T, from, until time.Time, host string) *x509.Certificate {
	t.Helper()
	return a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, NotBefore: from, NotAfter: until,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, a.cert)
}

// fakeBoard is a directory that stands for a board's /.
type fakeBoard struct {
	t    *testing.T
	root string
}

func (b fakeBoard) file(path, text string) {
	b.t.Helper()
	full := filepath.Join(b.root, path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, []byte(text), 0o644)); err != nil {
		b.t.Fatal(err)
	}
}

// device makes a pipe: like a device, it is no plain file.
func (b fakeBoard) device(path string, mode os.FileMode) {
	b.t.Helper()
	full := filepath.Join(b.root, path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), syscall.Mkfifo(full, 0o600), os.Chmod(full, mode)); err != nil {
		b.t.Fatal(err)
	}
}

func (b fakeBoard) link(path, to string) {
	b.t.Helper()
	full := filepath.Join(b.root, path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.Symlink(to, full)); err != nil {
		b.t.Fatal(err)
	}
}

const boardProfile = `gateway = "G-INSPECT"
board = "rpi-4"
station = "inspection"

[work]
station = "INSPECT-1"

[ports]
reader0 = "/dev/ttyUSB0"

[broker]
urls = ["mqtt://broker:1883"]
`

// newBoard is a Raspberry Pi 4 with a reader on USB, and no scale plugged in.
func newBoard(t *testing.T) (fakeBoard, World) {
	t.Helper()
	b := fakeBoard{t, t.TempDir()}
	b.file("etc/traveler/profile.toml", boardProfile)
	b.file("etc/passwd", "root:x:0:0::/root:/bin/sh\ntraveler:x:990:991::/:/usr/sbin/nologin\n")
	b.file("etc/group", "dialout:x:20:\ngpio:x:997:\nplugdev:x:46:traveler\nbad\nworse:x:y:\n")
	b.file("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\x00")
	b.file("proc/sys/kernel/arch", "aarch64\n")
	b.file("proc/sys/kernel/osrelease", "6.12.1-rpi\n")
	b.file("proc/uptime", "3600.50 14000.00\n")
	b.file("proc/modules", "usbserial 45056 2 ftdi_sio, Live 0x0\nftdi_sio 65536 1 - Live 0x0\n")
	b.file("lib/modules/6.12.1-rpi/modules.builtin", "kernel/drivers/i2c/i2c-dev.ko\nkernel/drivers/usb/serial/cp210x.ko\n")
	b.file("boot/firmware/config.txt", "# base\nenable_uart=1\n[pi5]\ndtoverlay=disable-bt\n[all]\ndtparam=spi=on,i2c_arm=on\n")
	b.file("sys/class/rtc/rtc0/since_epoch", "1795348800\n")
	b.file("sys/kernel/debug/gpio", "gpiochip0: GPIOs 512-569, parent: platform/fe200000.gpio, pinctrl-bcm2711:\n"+
		" gpio-529 (GPIO17              |w1                  ) out hi\n gpio-530 (GPIO18              |                    ) in  lo\n gpio-539 (ID)\n")
	b.file("dev/kmsg", "6,1,100,-;Booting Linux\n3,2,60000000,-;I/O error, dev mmcblk0, sector 9\n SUBSYSTEM=block\n")
	b.device("dev/ttyUSB0", 0o660)
	b.device("dev/ttyUSB1", 0o660)
	b.link("dev/serial/by-id/usb-FTDI_A", "../../ttyUSB0")
	b.link("dev/serial/by-id/usb-FTDI_B", "../../ttyUSB1")
	b.device("dev/gpiochip0", 0o660)
	b.file("proc/81/comm", "minicom\n")
	b.link("proc/81/exe", "/usr/bin/minicom")
	b.link("proc/81/fd/3", "/dev/ttyUSB0")
	b.file("proc/90/comm", "travelerd\n")
	b.link("proc/90/exe", "/usr/bin/travelerd (deleted)")
	b.file("proc/self/comm", "no number\n")
	return b, World{
		Root: b.root, Now: func() time.Time { return noon }, Clock: func() ledger.Clock { return ledger.ClockSynchronised }, Version: "v1.2.0",
		Space: func(string) (Space, error) { return Space{Free: 4 << 30, Size: 16 << 30}, nil },
		Ask:   func(string) (agent.Desk, error) { return nil, agent.ErrUnreachable },
	}
}

func gather(t *testing.T, w World) Facts {
	t.Helper()
	f, err := w.Gather(t.Context(), "/etc/traveler/profile.toml", "")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestGatherFromFiles reads a board's files, with nobody to ask.
func TestGatherFromFiles(t *testing.T) {
	t.Parallel()
	_, w := newBoard(t)
	f := gather(t, w)
	if f.Profile.Profile.Gateway != "G-INSPECT" || len(f.Profile.Problems) > 0 {
		t.Fatalf("profile: %+v", f.Profile.Problems)
	}
	if b := f.Board; b.Model != "Raspberry Pi 4 Model B Rev 1.4" || b.Machine != "aarch64" || !b.Booted.Equal(noon.Add(-3600500*time.Millisecond)) {
		t.Errorf("board: %+v", b)
	}
	if want := []string{"enable_uart=1", "dtparam=spi=on", "dtparam=i2c_arm=on"}; !slices.Equal(f.Board.Firmware, want) {
		t.Errorf("firmware: %q", f.Board.Firmware)
	}
	for m, want := range map[string]bool{"usbserial": true, "i2c_dev": true, "cp210x": true, "ch341": false} {
		if f.Board.Loaded[m] != want {
			t.Errorf("module %s: %v", m, !want)
		}
	}
	if len(f.Board.Pins) != 1 || f.Board.Pins[17] != "w1" {
		t.Errorf("pins: %v", f.Board.Pins)
	}
	if f.Account.UID != 990 || !slices.Equal(f.Account.GIDs, []int{991, 20, 997, 46}) {
		t.Errorf("account: %+v", f.Account)
	}
	if k := f.Kernel.Lines; len(k) != 1 || k[0].Kind != cardError || !k[0].At.Equal(f.Board.Booted.Add(time.Minute)) {
		t.Errorf("kernel: %+v", f.Kernel)
	}
	reader := f.Ports[0]
	if reader.Target != "/dev/ttyUSB0" || reader.Mode != 0o660 || !slices.Equal(reader.Lasting, []string{"/dev/serial/by-id/usb-FTDI_A"}) ||
		len(reader.Holders) != 1 || reader.Holders[0].Command != "minicom" {
		t.Errorf("reader: %+v", reader)
	}
	scale := f.Ports[slices.IndexFunc(f.Ports, func(p PortFacts) bool { return p.Name == "scale" })]
	if scale.Target != "" || !slices.Equal(scale.Others, []string{"/dev/serial/by-id/usb-FTDI_B"}) {
		t.Errorf("scale: %+v", scale)
	}
	if f.Daemon.Asked || len(f.Daemon.Running) != 1 || !f.Daemon.Running[0].Replaced || f.Probes.Done || f.Broker.Links[0].Untried == "" {
		t.Errorf("asked: %+v %+v %+v", f.Daemon, f.Probes, f.Broker)
	}
	if !f.Clock.Battery || f.Clock.Unknown == "" || f.Disk.Free != 4<<30 {
		t.Errorf("clock %+v, disk %+v", f.Clock, f.Disk)
	}
}

// TestGatherFromNothing: an empty directory is no reason to fail.
func TestGatherFromNothing(t *testing.T) {
	t.Parallel()
	_, w := newBoard(t)
	w.Root = t.TempDir()
	r := Examine(gather(t, w))
	if c := r.Checks[0]; r.OK || c.State != Fault || !strings.Contains(c.Findings[0].What, "no such file") {
		t.Errorf("%+v", c)
	}
}

// TestGatherAsksTheBroker: over TCP and TLS, with answers of every kind.
func TestGatherAsksTheBroker(t *testing.T) {
	t.Parallel()
	ca, other := newAuthority(t), newAuthority(t)
	shown := ca.issue(t, noon.Add(-time.Hour), noon.AddDate(1, 0, 0), "broker.plant")
	serve := func(t *testing.T, clients *x509.CertPool) string {
		cfg := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{shown.Raw}, PrivateKey: ca.key}}, Time: func() time.Time { return noon }}
		if clients != nil {
			cfg.ClientAuth, cfg.ClientCAs = tls.RequireAndVerifyClientCert, clients
		}
		return listen(t, cfg)
	}
	for name, c := range map[string]struct {
		address func(t *testing.T) string
		url     string
		state   Severity
		what    string
	}{
		"clear":        {func(t *testing.T) string { return listen(t, nil) }, "mqtt://broker.plant:1883", OK, ""},
		"secured":      {func(t *testing.T) string { return serve(t, nil) }, "mqtts://broker.plant:8883", OK, ""},
		"another name": {func(t *testing.T) string { return serve(t, nil) }, "mqtts://broker.other:8883", Fault, "not for broker.other"},
		"refused":      {func(t *testing.T) string { return serve(t, other.pool) }, "mqtts://broker.plant:8883", Fault, "breaks off"},
		"no TLS there": {func(t *testing.T) string { return listen(t, nil) }, "mqtts://broker.plant:8883", Fault, "cannot be reached"},
		"nobody":       {func(*testing.T) string { return "127.0.0.1:1" }, "mqtt://broker.plant:1883", Fault, "cannot be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, w := newBoard(t)
			text := strings.Replace(boardProfile, "mqtt://broker:1883", c.url, 1)
			if strings.HasPrefix(c.url, "mqtts") {
				text += "ca_file = \"ca.crt\"\n"
			}
			b.file("etc/traveler/profile.toml", text)
			b.file("etc/traveler/ca.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw})))
			w.Live = true
			address := c.address(t)
			w.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, address)
			}
			f := gather(t, w)
			x := exam{Check: Check{State: OK}}
			broker(f, &x)
			what := ""
			if len(x.Findings) > 0 {
				what = x.Findings[0].What
			}
			if x.State != c.state || !strings.Contains(what, c.what) {
				t.Errorf("%+v, want %s %q", x, c.state, c.what)
			}
		})
	}
}

// listen accepts connections until the test ends, over TLS where cfg is given, and
// says nothing by itself.
func listen(t *testing.T, cfg *tls.Config) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			if cfg == nil { // a broker in clear closes on what is no MQTT
				_, _ = conn.Read(make([]byte, 1))
			} else if c := tls.Server(conn, cfg); c.Handshake() == nil {
				_, _ = c.Read(make([]byte, 1))
			}
			_ = conn.Close()
		}
	}()
	return l.Addr().String()
}

// desk answers as a gateway does.
type desk struct {
	agent.Desk
	err error
}

func (d desk) Status(context.Context) (agent.Status, error) {
	return agent.Status{Gateway: "G-INSPECT", Key: ledger.KeyID{1}, Open: true, Running: true}, d.err
}

func (d desk) Peers(context.Context) ([]agent.Peer, error) { return []agent.Peer{{Name: "G-2"}}, d.err }

func (d desk) Stats(context.Context) (agent.StatsDocument, error) {
	return agent.StatsDocument{DaysUntilFull: 40}, d.err
}

func (d desk) Roster(context.Context) (agent.RosterDocument, error) {
	return agent.RosterDocument{
		Identities: []agent.IdentityLine{{Name: "G-INSPECT", Key: ledger.KeyID{1}, Roles: "gateway,witness"}, {Name: "olga", Roles: "operator"}},
		Stations:   []agent.StationLine{{Station: "INSPECT-1", Gateway: "G-INSPECT"}, {Station: "X", Gateway: "G-2"}},
	}, d.err
}
func (desk) Close() error { return nil }

// TestGatherAsksTheDaemon, which answers, is forbidden to be asked, or is away.
func TestGatherAsksTheDaemon(t *testing.T) {
	t.Parallel()
	_, w := newBoard(t)
	w.Live = true
	w.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no route") }
	w.Probe = func(context.Context, profiles.Profile) ([]agent.Probed, error) {
		t.Error("a port was opened that a daemon has")
		return nil, nil
	}
	w.Ask = func(socket string) (agent.Desk, error) {
		if socket != "/run/traveler/control.sock" {
			t.Errorf("asked on %s", socket)
		}
		return desk{}, nil
	}
	f := gather(t, w)
	own := RosterEntry{Name: "G-INSPECT", Key: ledger.KeyID{1}.Short(), Own: true, Gateway: true}
	if !f.Daemon.Answers || len(f.Daemon.Peers) != 1 || f.Disk.DaysUntilFull != 40 || f.Roster.Source != "the daemon" ||
		!slices.Equal(f.Roster.Entries, []RosterEntry{own}) || !slices.Equal(f.Roster.Stations, []string{"INSPECT-1"}) {
		t.Errorf("%+v %+v %+v", f.Daemon, f.Disk, f.Roster)
	}
	w.Ask = func(string) (agent.Desk, error) { return nil, fs.ErrPermission }
	if f := gather(t, w); f.Daemon.Answers || !f.Daemon.Denied {
		t.Errorf("%+v", f.Daemon)
	}
}

// TestGatherGreetsDevices where no daemon runs.
func TestGatherGreetsDevices(t *testing.T) {
	t.Parallel()
	b, w := newBoard(t)
	if err := os.RemoveAll(filepath.Join(b.root, "proc/90")); err != nil {
		t.Fatal(err)
	}
	w.Live = true
	w.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no route") }
	w.Probe = func(_ context.Context, p profiles.Profile) ([]agent.Probed, error) {
		return []agent.Probed{{Name: p.Readers[0].Name, Port: p.Readers[0].Port}}, nil
	}
	if f := gather(t, w); !f.Probes.Done || len(f.Probes.Devices) != 1 || f.Probes.Devices[0].Port != "/dev/ttyUSB0" {
		t.Errorf("%+v", f.Probes)
	}
}

// TestRosterOfFiles finds the gateway in what was written for its board.
func TestRosterOfFiles(t *testing.T) {
	t.Parallel()
	_, w := newBoard(t)
	f := gather(t, w)
	if !strings.Contains(f.Roster.Unknown, "genesis") {
		t.Errorf("without a genesis: %+v", f.Roster)
	}
}

// TestKernelLogOrJournal: who may not read the log is told by the journal.
func TestKernelLogOrJournal(t *testing.T) {
	t.Parallel()
	b, w := newBoard(t)
	if err := os.Remove(filepath.Join(b.root, "dev/kmsg")); err != nil {
		t.Fatal(err)
	}
	if f := gather(t, w); !strings.Contains(f.Kernel.Unknown, "no such file") {
		t.Errorf("%+v", f.Kernel)
	}
	w.Journal = func(context.Context) ([]byte, error) {
		return []byte(`{"MESSAGE":"EXT4-fs (mmcblk0p2): Remounting filesystem read-only","__REALTIME_TIMESTAMP":"1795348800000000"}` + "\n{\"MESSAGE\":[1,2]}\nnone\n"), nil
	}
	f := gather(t, w)
	if len(f.Kernel.Lines) != 1 || f.Kernel.Lines[0].Kind != readOnly || f.Kernel.Lines[0].At.Unix() != 1795348800 {
		t.Errorf("%+v", f.Kernel)
	}
}
