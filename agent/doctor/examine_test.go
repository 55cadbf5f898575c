package doctor

import (
	"crypto/x509"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"traveler.example/agent"
	"traveler.example/drivers"
	profiles "traveler.example/firmware-profiles"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const station = `gateway = "G-INSPECT"
board = "rpi-4"
station = "inspection"

[work]
station = "INSPECT-1"

[broker]
urls = ["mqtt://broker:1883", "mqtt://other:1883"]
`

func profileOf(t *testing.T, text string) profiles.Profile {
	t.Helper()
	p, err := profiles.Parse("/etc/traveler/profile.toml", []byte(text), profiles.BuiltIn)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// well are the facts of a gateway that lacks nothing.
func well(t *testing.T) Facts {
	t.Helper()
	p := profileOf(t, station)
	loaded := map[string]bool{}
	for _, m := range p.Boot.Modules {
		loaded[kernelName(m)] = true
	}
	port := func(of, name, path string) PortFacts {
		return PortFacts{Of: of, Name: name, Path: path, Wiring: profiles.WiringSerial, Target: "/dev/ttyX", Mode: 0o660, GID: 20, Group: "dialout"}
	}
	return Facts{
		At: noon, Built: noon.Add(-time.Hour), Version: "v1.2.0",
		Profile: ProfileFacts{File: "/etc/traveler/profile.toml", Profile: p},
		Board: BoardFacts{
			Model: "Raspberry Pi 4 Model B Rev 1.4", Machine: "aarch64", FirmwareFile: "/boot/firmware/config.txt",
			Firmware: profiles.FirmwareSettings(strings.Join(p.Boot.Firmware, "\n"), ""), Booted: noon.Add(-time.Hour), FirmwareTime: noon.Add(-2 * time.Hour),
			Loaded: loaded, Pins: map[int]string{4: "w1"},
		},
		Ports: []PortFacts{
			port("reader bench", "bench", "/dev/ttyAMA0"), port("the scale", "scale", "/dev/serial/by-path/a"),
			{Of: "the pins", Path: "/dev/gpiochip0", Wiring: wiringPins, Target: "/dev/gpiochip0", Mode: 0o660, GID: 997, Group: "gpio"},
		},
		Account: Account{Name: "traveler", UID: 990, GIDs: []int{990, 20, 997}},
		Clock:   ClockFacts{Synchronised: true, Battery: true, BatteryTime: noon},
		Disk:    DiskFacts{Dir: "/var/lib/traveler", Free: 8 << 30, Size: 16 << 30, DaysUntilFull: 900},
		Daemon: DaemonFacts{
			Asked: true, Socket: "/run/traveler/control.sock", Answers: true, Running: []Process{{PID: 7, Command: "travelerd"}},
			Status: agent.Status{
				Gateway: "G-INSPECT", Version: "v1.2.0", Open: true, Running: true, Broker: "mqtt://broker:1883", Profile: profiles.Digest(p),
				Readers: []agent.DeviceState{{Name: "bench", Port: "/dev/ttyAMA0", Up: true}}, Scale: &agent.DeviceState{Name: "scale", Port: "/dev/serial/by-path/a", Up: true},
			},
		},
		Broker: BrokerFacts{Judged: noon, Links: []Link{{URL: "mqtt://broker:1883", Host: "broker"}, {URL: "mqtt://other:1883", Host: "other"}}},
		Roster: RosterFacts{
			Source: "the daemon", Key: "aa", Stations: []string{"INSPECT-1"},
			Entries: []RosterEntry{{Name: "G-INSPECT", Key: "aa", Own: true, Gateway: true}},
		},
	}
}

// TestWell: nothing is found where nothing is wrong, and every check was made.
func TestWell(t *testing.T) {
	t.Parallel()
	r := Examine(well(t))
	if !r.OK || len(r.Findings()) > 0 || len(r.Checks) != len(checks) {
		t.Errorf("%+v", r)
	}
	for _, c := range r.Checks {
		if c.State != OK || c.Summary == "" {
			t.Errorf("%s is %s: %q", c.Name, c.State, c.Summary)
		}
	}
}

// stopped takes the daemon away.
func stopped(f *Facts) {
	f.Daemon = DaemonFacts{Asked: true, Socket: "/run/traveler/control.sock", Problem: "no daemon answers"}
}

func reader(f *Facts) *PortFacts { return &f.Ports[0] }

func probe(err error) func(f *Facts) {
	return func(f *Facts) {
		stopped(f)
		f.Probes = ProbeFacts{Done: true, Devices: []agent.Probed{{Name: "bench", Port: "/dev/ttyAMA0", Err: err}}}
	}
}

func kernelLine(text string) func(f *Facts) {
	return func(f *Facts) { f.Kernel.Lines = ParseKmsg("3,1,60000000,-;"+text+"\n", noon.Add(-time.Hour)) }
}

// TestFindings stages one fault at a time.
func TestFindings(t *testing.T) {
	t.Parallel()
	own := func(f *Facts) *RosterEntry { return &f.Roster.Entries[0] }
	cases := []struct {
		name   string
		stage  func(f *Facts)
		check  string
		state  Severity
		what   string // part of it
		remedy string // part of it
	}{
		{"a bad profile", func(f *Facts) {
			f.Profile = ProfileFacts{File: "p.toml", Problems: []string{`p.toml:1:1: key "x" is unknown`}}
		}, "profile", Fault, `key "x"`, "traveler profile check p.toml"},
		{"another board", func(f *Facts) { f.Board.Model = "Raspberry Pi 5 Model B" }, "board", Fault, `for board "rpi-4", but this is Raspberry Pi 5`, "profile list"},
		{"another machine", func(f *Facts) { f.Profile.Profile.BoardName = "generic-amd64" }, "board", Fault, "aarch64", "board ="},
		{"overlay missing", func(f *Facts) {
			f.Board.Firmware = profiles.FirmwareSettings("enable_uart=1\ndtparam=spi=on,i2c_arm=on", "")
		}, "firmware", Fault, "dtoverlay=disable-bt", "restart the board"},
		{"overlay not in force", func(f *Facts) { f.Board.FirmwareTime = noon }, "firmware", Warning, "changed since", "reboot"},
		{"module missing", func(f *Facts) { delete(f.Board.Loaded, "ftdi_sio") }, "modules", Warning, "ftdi_sio", "modprobe -a ftdi_sio"},
		{"weak supply", kernelLine("hwmon hwmon1: Undervoltage detected!"), "power", Warning, "too weak", "power supply"},
		{"own port gone", func(f *Facts) { reader(f).Target = "" }, "ports", Fault, "nothing is at /dev/ttyAMA0", "enable_uart=1"},
		{"port gone", func(f *Facts) { f.Ports[1].Target = "" }, "ports", Fault, "nothing is at /dev/serial/by-path/a", "plug it in"},
		{"port gone, another there", func(f *Facts) { f.Ports[1].Target, f.Ports[1].Others = "", []string{"/dev/serial/by-id/usb-X"} }, "ports", Fault, "nothing", "if it is /dev/serial/by-id/usb-X"},
		{"SPI gone", func(f *Facts) { reader(f).Target, reader(f).Wiring = "", profiles.WiringSPI }, "ports", Fault, "nothing", "dtparam=spi=on"},
		{"I2C gone", func(f *Facts) { reader(f).Target, reader(f).Wiring = "", profiles.WiringI2C }, "ports", Fault, "nothing", "i2c_arm"},
		{"no GPIO", func(f *Facts) { f.Ports[2].Target = "" }, "ports", Fault, "the pins", "no GPIO"},
		{"a file in the port's place", func(f *Facts) { reader(f).Regular = true }, "ports", Fault, "plain file", "rm /dev/ttyAMA0"},
		{"not to be looked at", func(f *Facts) { reader(f).Problem = "permission denied" }, "ports", Warning, "permission", "sudo"},
		{"no rights", func(f *Facts) { reader(f).GID, f.Daemon.Status.Readers[0].Up = 21, false }, "ports", Fault, "traveler may not read and write", "SupplementaryGroups=dialout"},
		{"no rights for any group", func(f *Facts) { reader(f).Mode, f.Daemon.Status.Readers[0].Up = 0o600, false }, "ports", Fault, "may not", "udev"},
		{"another program on it", func(f *Facts) { reader(f).Holders = []Process{{PID: 81, Command: "agetty"}} }, "ports", Fault, "open in agetty (process 81)", "serial-getty@ttyX"},
		{"a name that changes", func(f *Facts) {
			reader(f).Path, reader(f).Lasting = "/dev/ttyUSB0", []string{"/dev/serial/by-id/usb-Y"}
		}, "ports", Warning, "next replug", `"/dev/serial/by-id/usb-Y"`},
		{"pin used twice", func(f *Facts) { f.Board.Pins[17] = "w1" }, "pins", Fault, `red of light stack is on GPIO17, which the kernel's "w1" has`, "overlay"},
		{"reader down", func(f *Facts) {
			f.Daemon.Status.Readers[0] = agent.DeviceState{Name: "bench", Port: "/dev/ttyAMA0", Since: noon.UnixMilli()}
		}, "devices", Fault, "reader bench does not answer", "cable"},
		{"scale down", func(f *Facts) { f.Daemon.Status.Scale.Up = false }, "devices", Fault, "the scale does not answer", "cable"},
		{"button gone", func(f *Facts) { f.Daemon.Status.Buttons = []agent.DeviceState{{Name: "ok", Port: "GPIO5"}} }, "devices", Fault, "button ok", "cable"},
		{"silent without daemon", probe(drivers.ErrSilent), "devices", Fault, "does not answer", "cable"},
		{"busy without daemon", probe(drivers.ErrBusy), "devices", Fault, "bench", "stop the program"},
		{"gone without daemon", probe(os.ErrNotExist), "devices", Fault, "not there", "plug it in"},
		{"not permitted without daemon", probe(os.ErrPermission), "devices", Warning, "cannot be tried", "sudo"},
		{"cannot be tried", func(f *Facts) { stopped(f); f.Probes.Problem = "no such pin" }, "devices", Fault, "no such pin", "profile check"},
		{"no light", func(f *Facts) { f.Profile.Profile.Lights = nil }, "lights", Note, "no light", "[[light]]"},
		{"clock at 1970", func(f *Facts) { f.At, f.Clock.Synchronised, f.Clock.BatteryTime = time.Unix(60, 0), false, time.Time{} }, "clock", Fault, "1970-01-01, before this program", "timedatectl"},
		{"clock not set", func(f *Facts) { f.Clock.Synchronised = false }, "clock", Warning, "not synchronised", "timedatectl"},
		{"no battery", func(f *Facts) { f.Clock.Battery = false }, "clock", Note, "power cut", "nothing"},
		{"empty battery", func(f *Facts) { f.Clock.BatteryTime = time.Unix(0, 0) }, "clock", Warning, "1970-01-01", "battery"},
		{"read-only", func(f *Facts) { f.Disk.ReadOnly = true }, "space", Fault, "read-only", "new card"},
		{"full", func(f *Facts) { f.Disk.Free = 1 << 20 }, "space", Fault, "nothing is recorded", "vacuum"},
		{"nearly full", func(f *Facts) { f.Disk.Free = int64(f.Profile.Profile.Ledger.FreeSpaceReserve) + 1 }, "space", Warning, "near the reserve", "vacuum"},
		{"no inodes", func(f *Facts) { f.Disk.NoInodes = true }, "space", Fault, "inodes", "clear"},
		{"full in a week", func(f *Facts) { f.Disk.DaysUntilFull = 7 }, "space", Fault, "full in 7 days", "card"},
		{"full in two months", func(f *Facts) { f.Disk.DaysUntilFull = 60 }, "space", Warning, "full in 60 days", "card"},
		{"card error", kernelLine("I/O error, dev mmcblk0, sector 4711 op 0x1:(WRITE)"), "card", Fault, "did not read, write or answer: 1 line", "replace the card"},
		{"file system damaged", kernelLine("EXT4-fs error (device mmcblk0p2): ext4_lookup:1785: inode #12: comm x: deleted inode referenced"), "card", Fault, "damaged", "replace"},
		{"made read-only", kernelLine("EXT4-fs (mmcblk0p2): Remounting filesystem read-only"), "card", Fault, "read-only", "replace"},
		{"stopped", stopped, "daemon", Fault, "does not run", "enable --now"},
		{"hung", func(f *Facts) { running := f.Daemon.Running; stopped(f); f.Daemon.Running = running }, "daemon", Fault, "process 7", "restart"},
		{"cannot record", func(f *Facts) { f.Daemon.Status.Problem = "the disk is full" }, "daemon", Fault, "the disk is full", "journalctl"},
		{"starting", func(f *Facts) { f.Daemon.Status.Open = false }, "daemon", Note, "not", "wait"},
		{"help called", func(f *Facts) { f.Daemon.Status.Help = &agent.HelpState{Since: noon.UnixMilli()} }, "daemon", Note, "called for help", "go to"},
		{"exchanged and not restarted", func(f *Facts) { f.Daemon.Running[0].Replaced = true }, "version", Warning, "before the last installation", "restart"},
		{"older daemon", func(f *Facts) { f.Daemon.Status.Version = "v1.1.0" }, "version", Warning, "travelerd is v1.1.0", "one release"},
		{"another file", func(f *Facts) { f.Profile.Profile.Broker.URLs = nil }, "drift", Warning, "differs from what the daemon runs in: broker", "reload"},
		{"another gateway's file", func(f *Facts) { f.Daemon.Status.Gateway = "G-2" }, "drift", Warning, "the daemon that answers is G-2", "--socket"},
		{"one broker gone", func(f *Facts) { f.Broker.Links[1].Problem = "refused" }, "broker", Warning, "mqtt://other:1883 cannot be reached: refused", "switched on"},
		{"every broker gone", func(f *Facts) { f.Broker.Links[0].Problem, f.Broker.Links[1].Problem = "refused", "refused" }, "broker", Fault, "mqtt://broker:1883", "ping"},
		{"broker refuses", func(f *Facts) {
			f.Broker.Links = []Link{{URL: "mqtts://b:8883", Problem: "bad certificate", Refused: true}}
		}, "broker", Fault, "breaks off: bad certificate", "same CA"},
		{"not connected", func(f *Facts) { f.Daemon.Status.Broker = "" }, "broker", Warning, "no connection", "broker.lost"},
		{"alone", func(f *Facts) { f.Broker.Links = nil }, "broker", Note, "alone", "urls"},
		{"own certificate expired", func(f *Facts) {
			f.Broker.Own = []agent.CertificateState{{What: "this gateway's certificate", File: "board.crt", Until: noon.UnixMilli(), State: agent.CertificateExpired}}
		}, "certificates", Fault, "has expired on 2026-11-22", "renew"},
		{"own certificate expiring", func(f *Facts) {
			f.Broker.Own = []agent.CertificateState{{What: "this gateway's certificate", Days: 12, State: agent.CertificateExpiring}}
		}, "certificates", Warning, "in 12 days", "renew"},
		{"certificate lost", func(f *Facts) { f.Broker.Problem = "ca.crt: no such file" }, "certificates", Fault, "no such file", "certificates gateway"},
		{"revoked", func(f *Facts) { own(f).Revoked = true }, "roster", Fault, "G-INSPECT is revoked", "gateway replace"},
		{"unknown", func(f *Facts) { f.Roster.Entries = nil }, "roster", Fault, "does not know G-INSPECT", "gateway add"},
		{"another key", func(f *Facts) { own(f).Own, f.Roster.Key = false, "bb" }, "roster", Fault, "the key here is bb", "own key back"},
		{"a person's key", func(f *Facts) { own(f).Gateway = false }, "roster", Fault, "no gateway", "gateway add"},
		{"another station", func(f *Facts) { f.Roster.Stations = []string{"DRILL-1"} }, "roster", Fault, "assigns to G-INSPECT: DRILL-1", "[work] station"},
		{"another name", func(f *Facts) { own(f).Name = "G-OLD" }, "roster", Warning, "calls the key here G-OLD", `gateway = "G-OLD"`},
		{"ticket", func(f *Facts) { f.Roster.Ticket = true }, "roster", Note, "ticket", "enrols itself"},
		{"far behind", func(f *Facts) { f.Daemon.Status.Lag = 5000 }, "ledger", Warning, "5000 blocks", "traveler peers"},
		{"cloned card", func(f *Facts) { f.Daemon.Peers = []agent.Peer{{Self: true, Evidence: true}} }, "ledger", Warning, "two versions", "switch one off"},
		{"a silent peer", func(f *Facts) {
			f.Daemon.Peers = []agent.Peer{{Name: "G-2", Heard: noon.Add(-72 * time.Hour).UnixMilli()}}
		}, "ledger", Note, "G-2 has not been heard for 3 days", "there"},
		{"conflicts", func(f *Facts) { f.Daemon.Status.Conflicts = 2 }, "ledger", Note, "2 items in conflict", "quality"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := well(t)
			c.stage(&f)
			r := Examine(f)
			i := slices.IndexFunc(r.Checks, func(x Check) bool { return x.Name == c.check })
			got := r.Checks[i]
			if got.State != c.state || len(got.Findings) == 0 || !strings.Contains(got.Findings[0].What, c.what) || !strings.Contains(got.Findings[0].Remedy, c.remedy) {
				t.Errorf("%+v\nwant %s of %q, remedy %q", got, c.state, c.what, c.remedy)
			}
			if needs := c.state == Warning || c.state == Fault; needs && r.OK {
				t.Error("the report is ok, though a person is needed")
			}
			for _, f := range r.Findings() {
				if f.Remedy == "" || f.What == "" || f.Check == "" {
					t.Errorf("a finding is not whole: %+v", f)
				}
			}
		})
	}
}

// TestSkipped: a board of which nothing is known is not called well by anybody, and not
// ill either.
func TestSkipped(t *testing.T) {
	t.Parallel()
	f := Facts{At: noon, Clock: ClockFacts{Unknown: "?", Battery: true}, Disk: DiskFacts{Unknown: "?"}, Kernel: KernelFacts{Unknown: "?"}, Roster: RosterFacts{Unknown: "?"}}
	for _, c := range Examine(f).Checks {
		if alone := c.Name == "profile" || c.Name == "version"; !alone && c.State != Skipped {
			t.Errorf("%s is %s: %s", c.Name, c.State, c.Summary)
		}
	}
}

// TestSinceIsTold: what has a time says it.
func TestSinceIsTold(t *testing.T) {
	t.Parallel()
	f := well(t)
	kernelLine("mmc0: Timeout waiting for hardware interrupt.")(&f)
	found := Examine(f).Findings()
	if want := noon.Add(-59 * time.Minute).UnixMilli(); len(found) != 1 || found[0].Since != want {
		t.Errorf("%+v, want since %d", found, want)
	}
}

// TestUntrustedBrokers judges what brokers show.
func TestUntrustedBrokers(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	other := newAuthority(t)
	good := ca.issue(t, noon.Add(-time.Hour), noon.Add(400*24*time.Hour), "broker.plant")
	for name, c := range map[string]struct {
		leaf  *x509.Certificate
		host  string
		state Severity
		what  string
	}{
		"good":          {good, "broker.plant", OK, ""},
		"another name":  {good, "elsewhere", Fault, "is for broker.plant, not for elsewhere"},
		"another CA":    {other.issue(t, noon.Add(-time.Hour), noon.Add(400*24*time.Hour), "broker.plant"), "broker.plant", Fault, "not from the authority"},
		"expired":       {ca.issue(t, noon.Add(-48*time.Hour), noon.Add(-24*time.Hour), "broker.plant"), "broker.plant", Fault, "has expired on 2026-11-21"},
		"expiring":      {ca.issue(t, noon.Add(-48*time.Hour), noon.Add(24*time.Hour), "broker.plant"), "broker.plant", Warning, "expires on 2026-11-23"},
		"not yet valid": {ca.issue(t, noon.Add(24*time.Hour), noon.Add(48*time.Hour), "broker.plant"), "broker.plant", Fault, "does not hold"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := well(t)
			f.Broker.Roots, f.Broker.Links = ca.pool, []Link{{URL: "mqtts://" + c.host, Host: c.host, Secured: true, Shown: []*x509.Certificate{c.leaf}}}
			x := exam{Check: Check{State: OK}}
			broker(f, &x)
			what := ""
			if len(x.Findings) > 0 {
				what = x.Findings[0].What
			}
			if x.State != c.state || !strings.Contains(what, c.what) || len(x.Findings) > 1 {
				t.Errorf("%+v, want %s %q", x, c.state, c.what)
			}
		})
	}
}
