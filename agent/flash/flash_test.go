package flash

import (
	"context"
	"crypto"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"traveler.example/agent"
	profiles "traveler.example/firmware-profiles"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// elfHeader begins a program for a machine: class and machine are as in the ELF header.
func elfHeader(class byte, machine byte) []byte {
	text := make([]byte, 64)
	copy(text, "\x7fELF")
	text[4], text[5], text[6], text[16], text[18] = class, 1, 1, 2, machine
	return text
}

var headers = map[profiles.Arch][]byte{
	profiles.ArchAMD64: elfHeader(2, 62), profiles.ArchARM64: elfHeader(2, 183), profiles.ArchARM: elfHeader(1, 40),
}

func write(t *testing.T, file string, text []byte, mode fs.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, mode); err != nil {
		t.Fatal(err)
	}
}

// bench is a network with a gateway G-KEY and a ticket G-TICKET, and a card.
type bench struct {
	t        *testing.T
	net      *agent.Network
	admin    crypto.Signer
	root     string
	programs []Program
}

func newBench(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	n, err := agent.Found(dir, agent.Founding{Name: "plant", Admins: []string{"admin"}, Time: 1})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, net: n, root: filepath.Join(t.TempDir(), "card")}
	if b.admin, err = n.Key("admin"); err != nil {
		t.Fatal(err)
	}
	if _, err := n.FoundAuthority(time.Unix(1, 0), 0, agent.KeyForm{}); err != nil {
		t.Fatal(err)
	}
	b.add("G-KEY", "DRILL-1")
	code, err := agent.NewTicketCode(nil)
	if err != nil {
		t.Fatal(err)
	}
	d := b.draft("G-TICKET", "SAW-1")
	d.Ticket, d.Brokers = true, []string{"mqtt://broker:1883"}
	p, err := n.PrepareTicket(d.Text(), false, code)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Perform(2, p, b.admin); err != nil {
		t.Fatal(err)
	}
	for _, sub := range []string{"etc", "usr", "boot/firmware"} {
		if err := os.MkdirAll(filepath.Join(b.root, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, b.card("boot/firmware/config.txt"), []byte("# For more options\ndtparam=spi=on\n[cm4]\notg_mode=1\n"), 0o644)
	write(t, b.card("boot/firmware/cmdline.txt"), []byte("console=serial0,115200 console=tty1 root=PARTUUID=1-02 rootwait\n"), 0o644)
	bin := t.TempDir()
	for _, name := range []string{daemonName, toolName} {
		write(t, filepath.Join(bin, name), headers[profiles.ArchARM64], 0o755)
	}
	if b.programs, err = FindPrograms(profiles.ArchARM64, bin, ""); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) draft(name, station string) agent.ProfileDraft {
	return agent.ProfileDraft{Gateway: name, Board: "rpi-4", Profile: "drilling", Station: station, Brokers: []string{"mqtts://broker:8883"}}
}

func (b *bench) add(name, station string) {
	b.t.Helper()
	if _, err := b.net.AddGateway(2, b.draft(name, station).Text(), true, agent.KeyForm{}, b.admin); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) card(place string) string { return filepath.Join(b.root, place) }

func (b *bench) text(place string) string {
	b.t.Helper()
	text, err := os.ReadFile(b.card(place))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

// plan is what flashing the gateway would write, and where.
func (b *bench) plan(name string) (*Target, Plan, error) {
	b.t.Helper()
	board, err := Read(b.net, name)
	if err != nil {
		return nil, Plan{}, err
	}
	target, err := Open(b.root)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = target.Close() })
	p, err := target.Plan(board, b.programs)
	return target, p, err
}

func (b *bench) flash(name string) (*Target, Plan) {
	b.t.Helper()
	target, p, err := b.plan(name)
	if err == nil {
		err = target.Write(b.t.Context(), p)
	}
	if err == nil {
		err = target.Verify(b.t.Context(), p)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return target, p
}

// nothingLeft fails if an unfinished file is on the card.
func (b *bench) nothingLeft() {
	b.t.Helper()
	_ = filepath.WalkDir(b.root, func(p string, _ fs.DirEntry, _ error) error {
		if strings.HasSuffix(p, ".flash") {
			b.t.Errorf("left behind: %s", p)
		}
		return nil
	})
}

func TestBoardWithItsKey(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, p := b.flash("G-KEY")
	for place, mode := range map[string]fs.FileMode{
		"usr/bin/travelerd": 0o755, "usr/bin/traveler": 0o755, "etc/traveler": fs.ModeDir | 0o750,
		"etc/traveler/profile.toml": 0o644, "etc/traveler/genesis.cbor": 0o644, "etc/traveler/gateway.key": 0o600,
		"etc/traveler/ca.crt": 0o644, "etc/traveler/board.crt": 0o644, "etc/traveler/board.key": 0o600,
		"etc/traveler/first-boot": 0o644, "etc/modules-load.d/traveler-board.conf": 0o644,
		"usr/lib/systemd/system/travelerd.service": 0o644, "usr/lib/systemd/catalog/traveler.catalog": 0o644,
		"usr/lib/udev/rules.d/60-traveler.rules": 0o644, "usr/lib/sysusers.d/traveler.conf": 0o644,
		"usr/lib/tmpfiles.d/traveler.conf": 0o644, "usr/lib/modules-load.d/traveler.conf": 0o644,
	} {
		if info, err := os.Lstat(b.card(place)); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v; want mode %v", place, info, err, mode)
		}
	}
	if p.Board.Key.IsZero() || p.Board.Ticketed() {
		t.Errorf("key %v, ticketed %v", p.Board.Key, p.Board.Ticketed())
	}
	if statements, _ := filepath.Glob(b.card("etc/traveler/roster/*.cbor")); len(statements) != len(b.net.Register.Statements()) {
		t.Errorf("%d statements on the card, want %d", len(statements), len(b.net.Register.Statements()))
	}
	if _, err := os.Stat(b.card("etc/traveler/identity")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a directory for a key to be made, though the key is there")
	}
	wants := b.card("etc/systemd/system/multi-user.target.wants/travelerd.service")
	if to, err := os.Readlink(wants); err != nil || to != "/usr/lib/systemd/system/travelerd.service" {
		t.Errorf("enabled by %q, %v", to, err)
	}
}

func TestBoardWithATicket(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, p := b.flash("G-TICKET")
	code, err := agent.ParseTicketCode(b.text("etc/traveler/identity/ticket"))
	if err != nil || code == (agent.TicketCode{}) {
		t.Errorf("ticket on the card: %v", err)
	}
	for _, place := range []string{"etc/traveler/gateway.key", "etc/traveler/identity/gateway.key"} {
		if _, err := os.Stat(b.card(place)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a key at %s: %v", place, err)
		}
	}
	if !p.Board.Key.IsZero() || !p.Board.Ticketed() {
		t.Errorf("key %v, ticketed %v", p.Board.Key, p.Board.Ticketed())
	}

	// The board has made its key, and the card comes back.
	write(t, b.card("etc/traveler/identity/gateway.key"), []byte("made on the board"), 0o600)
	if err := os.Remove(b.card("etc/traveler/identity/ticket")); err != nil {
		t.Fatal(err)
	}
	_, p = b.flash("G-TICKET")
	if _, err := os.Stat(b.card("etc/traveler/identity/ticket")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the ticket came back: %v", err)
	}
	if got := b.text("etc/traveler/identity/gateway.key"); got != "made on the board" {
		t.Errorf("the key is %q", got)
	}
	if !slices.ContainsFunc(p.Notes, func(n string) bool { return strings.Contains(n, "has made its key") }) {
		t.Errorf("notes %q", p.Notes)
	}
}

// TestProfileOnTheCard: the daemon reads there what was checked here, with the paths
// of the board, and needs no other file for it.
func TestProfileOnTheCard(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for name, key := range map[string]string{"G-KEY": "/etc/traveler/gateway.key", "G-TICKET": "/etc/traveler/identity/gateway.key"} {
		_, p, err := b.plan(name)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(p.Files, func(f File) bool { return f.Path == "/etc/traveler/profile.toml" })
		none := func(profiles.Kind, string) (profiles.Source, error) { return profiles.Source{}, profiles.ErrNotFound }
		got, err := profiles.Parse("/etc/traveler/profile.toml", p.Files[i].Text, none)
		if err != nil {
			t.Fatalf("%v\n%s", err, p.Files[i].Text)
		}
		if got.Gateway != name || got.KeyFile != key || got.DataDir != "/var/lib/traveler" || got.ControlSocket != "/run/traveler/control.sock" ||
			got.GenesisFile != "/etc/traveler/genesis.cbor" || !slices.Equal(got.Roster, []string{"/etc/traveler/roster"}) {
			t.Errorf("%s: %+v", name, got)
		}
		if strings.Contains(string(p.Files[i].Text), b.net.Dir) {
			t.Errorf("a path of this machine stands in it:\n%s", p.Files[i].Text)
		}
		if name == "G-KEY" && got.Broker.CertificateKeyFile != "/etc/traveler/board.key" {
			t.Errorf("certificate's key %s", got.Broker.CertificateKeyFile)
		}
		if got.Boot.Arch != profiles.ArchARM64 || len(got.Readers) == 0 {
			t.Errorf("board and station are not in it: %+v", got)
		}
	}
}

func TestFlashingAgainWritesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, first := b.flash("G-KEY")
	if n := first.Count(ActionNew) + first.Count(ActionChange); n != len(first.Files) {
		t.Errorf("at first %d of %d are new or changed", n, len(first.Files))
	}
	_, again := b.flash("G-KEY")
	for _, f := range again.Files {
		if want := map[bool]Action{false: ActionSame, true: ActionKeep}[f.once]; f.Action != want {
			t.Errorf("%s is %s, want %s", f.Path, f.Action, want)
		}
	}
	b.nothingLeft()
}

// TestFlashIsCutOff pulls the card out after each file. The daemon is never enabled on
// half a card, and flashing again makes the card whole.
func TestFlashIsCutOff(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, whole, err := b.plan("G-KEY")
	if err != nil {
		t.Fatal(err)
	}
	for cut := range whole.Files {
		target, p, err := b.plan("G-KEY")
		if err != nil {
			t.Fatal(err)
		}
		// By path: what is in cmdline.txt already is in no later plan.
		last := slices.IndexFunc(p.Files, func(f File) bool { return f.Path == whole.Files[cut].Path })
		p.Files = p.Files[:last+1]
		if err := target.Write(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if cut+1 < len(whole.Files) && !whole.Files[cut+1].Mode.IsDir() { // what the next left unfinished
			dir, name := filepath.Split(whole.Files[cut+1].Path)
			write(t, b.card(filepath.Join(dir, "."+name+".flash")), []byte("half a fi"), 0o600)
		}
		enabled := whole.Files[cut].Path == "/etc/systemd/system/multi-user.target.wants/travelerd.service"
		if enabled != (cut == len(whole.Files)-1) {
			t.Errorf("file %d of %d is %s", cut, len(whole.Files), whole.Files[cut].Path)
		}
	}
	if err := os.Remove(b.card("usr/bin/travelerd")); err != nil {
		t.Fatal(err)
	}
	if _, p := b.flash("G-KEY"); p.Count(ActionNew) != 1 || p.Count(ActionChange) != 0 {
		t.Errorf("%d new, %d changed; only the program was missing", p.Count(ActionNew), p.Count(ActionChange))
	}
	b.nothingLeft()
}

func TestRaspberryPisFirmware(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.flash("G-KEY")
	want := "# For more options\ndtparam=spi=on\n[cm4]\notg_mode=1\n" +
		markBegin + "\n[all]\nenable_uart=1\ndtoverlay=disable-bt\ndtparam=i2c_arm=on\n" + markEnd + "\n"
	if got := b.text("boot/firmware/config.txt"); got != want {
		t.Errorf("config.txt:\n%s\nwant:\n%s", got, want)
	}
	if got, want := b.text("boot/firmware/cmdline.txt"), "console=tty1 root=PARTUUID=1-02 rootwait\n"; got != want {
		t.Errorf("cmdline.txt is %q, want %q", got, want)
	}
	if err := os.RemoveAll(b.card("boot")); err != nil {
		t.Fatal(err)
	}
	_, p := b.flash("G-KEY")
	if !slices.ContainsFunc(p.Notes, func(n string) bool { return strings.Contains(n, "mount the boot partition") }) {
		t.Errorf("without a boot partition the notes are %q", p.Notes)
	}
}

// TestCardsThatAreRefused: what is on a card and cannot be made again stays, whoever
// is flashed onto it.
func TestCardsThatAreRefused(t *testing.T) {
	t.Parallel()
	other := newBench(t) // of another network
	for _, tt := range []struct {
		name, gateway, place, text, says string
	}{
		{"another key", "G-KEY", "etc/traveler/gateway.key", "another", "no key is ever overwritten"},
		{"a key for a ticket", "G-TICKET", "etc/traveler/gateway.key", "another", "no key is ever overwritten"},
		{"a key made on the board", "G-KEY", "etc/traveler/identity/gateway.key", "another", "no key is ever overwritten"},
		{"another gateway", "G-KEY", "etc/traveler/profile.toml", "gateway = \"G-OLD\"  # of 2025\n", "it is gateway G-OLD, not G-KEY"},
		{"another network", "G-KEY", "etc/traveler/genesis.cbor", string(other.net.Genesis.Raw()), "belongs to another network"},
		{"a directory in the way", "G-KEY", "etc/traveler/ca.crt/x", "", "is to be there"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			write(t, b.card(tt.place), []byte(tt.text), 0o600)
			_, _, err := b.plan(tt.gateway)
			if !errors.Is(err, agent.ErrConflict) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v; want a conflict that says %q", err, tt.says)
			}
			if b.text(tt.place) != tt.text {
				t.Error("it was touched")
			}
		})
	}
}

// TestKeyIsNotReplacedInTheLastMoment: a key that appears after the plan was made.
func TestKeyIsNotReplacedInTheLastMoment(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	target, p, err := b.plan("G-KEY")
	if err != nil {
		t.Fatal(err)
	}
	write(t, b.card("etc/traveler/gateway.key"), []byte("just made"), 0o600)
	if err := target.Write(t.Context(), p); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v, want fs.ErrExist", err)
	}
	if got := b.text("etc/traveler/gateway.key"); got != "just made" {
		t.Errorf("the key is %q", got)
	}
}

func TestLedgerIsKept(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	write(t, b.card("var/lib/traveler/000001.vlog"), []byte("blocks"), 0o600)
	_, p := b.flash("G-KEY")
	if b.text("var/lib/traveler/000001.vlog") != "blocks" || !slices.Contains(p.Notes, "the ledger in /var/lib/traveler is kept") {
		t.Errorf("notes %q", p.Notes)
	}
}

func TestBoardsThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, gateway string
		spoil         func(b *bench, dir string) error
		is            error
		says          string
	}{
		{"unknown", "G-NO", nil, agent.ErrNotFound, "G-NO"},
		{"no file name", "../G", nil, agent.ErrName, "path"},
		{"ticket removed", "G-TICKET", func(_ *bench, dir string) error { return os.Remove(filepath.Join(dir, "ticket")) }, agent.ErrNotFound, "has been removed"},
		{"ticket mistyped", "G-TICKET", func(_ *bench, dir string) error {
			return os.WriteFile(filepath.Join(dir, "ticket"), []byte("0000-0000-0000-0000-0000-0000-0001"), 0o600)
		}, agent.ErrTicket, "check digits"},
		{"no key", "G-KEY", func(_ *bench, dir string) error { return os.Remove(filepath.Join(dir, "gateway.key")) }, agent.ErrNotFound, "nor a ticket"},
		{"another's key", "G-KEY", func(_ *bench, dir string) error {
			key, err := agent.NewKey(agent.KeyEd25519, nil)
			return errors.Join(err, os.Remove(filepath.Join(dir, "gateway.key")), agent.SaveKey(filepath.Join(dir, "gateway.key"), key, agent.Protection{}))
		}, agent.ErrConflict, "does not have its key"},
		{"profile of another", "G-KEY", func(b *bench, dir string) error {
			return os.WriteFile(filepath.Join(dir, "profile.toml"), b.draft("G-OTHER", "X").Text(), 0o644)
		}, agent.ErrConflict, "G-OTHER"},
		{"no certificate", "G-KEY", func(_ *bench, dir string) error { return os.Remove(filepath.Join(dir, "board.crt")) }, agent.ErrCertificate, "board.crt"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			if tt.spoil != nil {
				if err := tt.spoil(b, b.net.Board(tt.gateway)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := Read(b.net, tt.gateway); !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v; want %v that says %q", err, tt.is, tt.says)
			}
		})
	}
}

func TestVerifyFindsWhatDiffers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	target, p := b.flash("G-KEY")
	for name, spoil := range map[string]func() error{
		"etc/traveler/genesis.cbor":      func() error { return flip(b.card("etc/traveler/genesis.cbor")) },
		"usr/bin/travelerd":              func() error { return os.Chmod(b.card("usr/bin/travelerd"), 0o644) },
		"etc/traveler/profile.toml":      func() error { return os.Remove(b.card("etc/traveler/profile.toml")) },
		"wants/travelerd.service":        func() error { return os.Remove(b.card("etc/systemd/system/multi-user.target.wants/travelerd.service")) },
		"boot/firmware/config.txt":       func() error { return os.Truncate(b.card("boot/firmware/config.txt"), 3) },
		"modules-load.d/traveler-board.": func() error { return flip(b.card("etc/modules-load.d/traveler-board.conf")) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if err := target.Verify(t.Context(), p); !errors.Is(err, ErrDiffers) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := target.Verify(ctx, p); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	if err := target.Write(ctx, p); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// flip changes one bit of a file.
func flip(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	text[len(text)/2] ^= 1
	return os.WriteFile(file, text, 0o644)
}

func TestTargetsThatAreRefused(t *testing.T) {
	t.Parallel()
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrTarget) {
		t.Errorf("an empty mount point: %v", err)
	}
	if _, err := Open("/"); !errors.Is(err, ErrTarget) {
		t.Errorf("this machine: %v", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing: %v", err)
	}
}

// TestNothingIsWrittenOutside: a card's links may lead anywhere on its own board, and
// here that would be this machine.
func TestNothingIsWrittenOutside(t *testing.T) {
	t.Parallel()
	b, outside := newBench(t), t.TempDir()
	if err := os.Symlink(outside, b.card("usr/bin")); err != nil {
		t.Fatal(err)
	}
	target, p, err := b.plan("G-KEY")
	if err == nil {
		err = target.Write(t.Context(), p)
	}
	if err == nil {
		t.Error("a link out of the card was followed")
	}
	if entries, _ := os.ReadDir(outside); len(entries) > 0 {
		t.Errorf("outside the card: %v", entries)
	}
}

// TestOwnersAreThoseOfTheCard: the number of the board's user is looked up there.
func TestOwnersAreThoseOfTheCard(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root sets owners: left out")
	}
	b := newBench(t)
	b.flash("G-TICKET")
	ticket := b.card("etc/traveler/identity/ticket")
	for _, want := range []int{0, 997} { // before and after the first start
		info, err := os.Stat(ticket)
		if err != nil {
			t.Fatal(err)
		}
		if uid, gid := ownerOf(info); uid != want || gid != want {
			t.Errorf("owned by %d:%d, want %d", uid, gid, want)
		}
		write(t, b.card("etc/passwd"), []byte("root:x:0:0::/root:/bin/sh\ntraveler:x:997:997::/:/bin/false\n"), 0o644)
		write(t, b.card("etc/group"), []byte("traveler:x:997:\n"), 0o644)
		b.flash("G-TICKET")
	}
}

// TestUmaskDoesNotCloseTheCard is not parallel: the mask is the whole process's.
func TestUmaskDoesNotCloseTheCard(t *testing.T) {
	b := newBench(t)
	defer syscall.Umask(syscall.Umask(0o077))
	b.flash("G-KEY")
	for _, dir := range []string{"usr/bin", "usr/lib", "usr/lib/systemd/catalog", "etc/systemd/system/multi-user.target.wants"} {
		if info, err := os.Stat(b.card(dir)); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("%s: %v, %v", dir, info.Mode(), err)
		}
	}
	if info, err := os.Stat(b.card("etc/traveler")); err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("etc/traveler: %v, %v", info.Mode(), err)
	}
}

// TestSystemAcceptsTheCard has systemd's own tools look at what was written.
func TestSystemAcceptsTheCard(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.flash("G-TICKET")
	tool := func(name string, args ...string) string {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed (Debian package systemd): left out", name)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
		if err != nil {
			t.Errorf("%s %q: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	for _, unit := range []string{"travelerd.service", "traveler-first-boot.service"} {
		if out := tool("systemctl", "--root="+b.root, "is-enabled", unit); strings.TrimSpace(out) != "enabled" {
			t.Errorf("%s is %q", unit, out)
		}
	}
	tool("systemd-sysusers", "--root="+b.root)
	if os.Geteuid() == 0 {
		tool("systemd-tmpfiles", "--root="+b.root, "--create", "traveler.conf")
	}
}
