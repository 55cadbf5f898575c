package flash

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"traveler.example/agent"
	profiles "traveler.example/firmware-profiles"
	"traveler.example/systemd"
)

// Owner is who owns a file on the board.
type Owner string

// The owners. The board's user may not exist before the first start, which then sets
// what could not be set.
const (
	OwnerRoot     Owner = "root:root"
	OwnerGroup    Owner = "root:traveler"
	OwnerTraveler Owner = "traveler:traveler"
	OwnerMount    Owner = "-" // as the mount has it: FAT knows neither owner nor mode
)

// Action is what flashing does to a file.
type Action string

// The actions.
const (
	ActionNew    Action = "new"
	ActionChange Action = "changed"
	ActionSame   Action = "same" // it is there as it should be
	ActionKeep   Action = "kept" // it is there and never overwritten
)

// File is a file, directory or symbolic link to be on a board.
type File struct {
	// Path is where it lies on the board, absolute.
	Path string
	// Mode is its permissions, with fs.ModeDir or fs.ModeSymlink.
	Mode   fs.FileMode
	Owner  Owner
	Text   []byte
	Target string // of a link
	Action Action

	once bool // never overwritten
}

// Plan is all that flashing one board writes. [Target.Plan] makes it.
type Plan struct {
	Board Board
	Files []File // in the order in which they are written
	// Notes are what the installer should know, in sentences.
	Notes []string
}

// found is what matters of what is on a card already.
type found struct {
	genesis, profile []byte            // empty: none
	keys             map[string][]byte // by their path
	ledger           bool
	firmware         string // directory with config.txt; empty: none
	config, cmdline  string
}

// compose decides what is to be on the card.
func compose(b Board, programs []Program, f found) (Plan, error) {
	if err := f.fits(b); err != nil {
		return Plan{}, err
	}
	p := Plan{Board: b, Notes: slices.Clone(b.Notes)}
	p.programs(programs)
	for _, s := range systemd.Files() {
		p.add(s.Path, s.Text, 0o644)
	}
	if modules := b.Profile.Boot.Modules; len(modules) > 0 {
		p.add("/etc/modules-load.d/traveler-board.conf", []byte(strings.Join(modules, "\n")+"\n"), 0o644)
	}
	if err := p.firmware(b.Profile, f); err != nil {
		return Plan{}, err
	}
	p.Files = append(p.Files, File{Path: etcDir, Mode: fs.ModeDir | 0o750, Owner: OwnerGroup})
	if b.Ticketed() {
		p.Files = append(p.Files, File{Path: identityDir, Mode: fs.ModeDir | 0o700, Owner: OwnerTraveler})
	}
	p.Files = append(p.Files, File{Path: path.Join(etcDir, agent.RosterName), Mode: fs.ModeDir | 0o750, Owner: OwnerGroup})
	p.add(path.Join(etcDir, agent.GenesisName), b.genesis, 0o644)
	p.board(f)
	// The unit starts nothing without a profile, and the first start does nothing
	// without its mark: these come when all else is there.
	p.add(path.Join(etcDir, agent.ProfileName), profiles.Show(b.Profile), 0o644)
	p.add(path.Join(etcDir, "first-boot"), []byte("The first start of this board removes this file.\n"), 0o644)
	for _, unit := range []string{"traveler-first-boot.service", "travelerd.service"} {
		p.Files = append(p.Files, File{
			Path: "/etc/systemd/system/multi-user.target.wants/" + unit, Mode: fs.ModeSymlink | 0o777, Owner: OwnerRoot,
			Target: "/usr/lib/systemd/system/" + unit,
		})
	}
	return p, nil
}

func (p *Plan) add(place string, text []byte, mode fs.FileMode) {
	p.Files = append(p.Files, File{Path: place, Mode: mode, Owner: OwnerRoot, Text: text})
}

func (p *Plan) programs(programs []Program) {
	for _, program := range programs {
		p.add(path.Join(binDir, program.Name), program.Text, 0o755)
	}
	if len(programs) == 1 {
		p.Notes = append(p.Notes, "there is no traveler beside travelerd: the board gets the daemon alone")
	}
}

// board adds the board's own files; a ticket is of no use where a key is.
func (p *Plan) board(f found) {
	for _, file := range p.Board.files {
		if file.Path == p.Board.Profile.TicketFile && f.keys[p.Board.Profile.KeyFile] != nil {
			p.Notes = append(p.Notes, "the board has made its key already: its ticket is left out")
			continue
		}
		p.Files = append(p.Files, file)
	}
	if f.ledger {
		p.Notes = append(p.Notes, "the ledger in "+stateDir+" is kept")
	}
}

// firmware adds what the board's firmware and kernel must be told.
func (p *Plan) firmware(profile profiles.Profile, f found) error {
	lines := profile.Boot.Firmware
	if len(lines) == 0 {
		return nil
	}
	if f.firmware == "" {
		p.Notes = append(p.Notes, "no config.txt in boot/firmware or boot: mount the boot partition there and flash again, or add the lines "+strings.Join(lines, ", "))
		return nil
	}
	config, err := configured(f.config, lines)
	if err != nil {
		return fmt.Errorf("%s/config.txt: %w", f.firmware, err)
	}
	p.Files = append(p.Files, File{Path: f.firmware + "/config.txt", Mode: 0o644, Owner: OwnerMount, Text: []byte(config)})
	cmdline, removed := withoutConsole(f.cmdline, serialPorts(profile), slices.Contains(lines, "enable_uart=1"))
	if removed != nil {
		p.Files = append(p.Files, File{Path: f.firmware + "/cmdline.txt", Mode: 0o644, Owner: OwnerMount, Text: []byte(cmdline)})
		p.Notes = append(p.Notes, "the kernel's console leaves the reader's port: "+strings.Join(removed, " ")+" is taken out of cmdline.txt")
	}
	return nil
}

// serialPorts are those that devices of the station are attached to.
func serialPorts(p profiles.Profile) []string {
	var ports []string
	for _, r := range p.Readers {
		ports = append(ports, r.Port)
	}
	if p.Scale != nil {
		ports = append(ports, p.Scale.Port)
	}
	return ports
}

// fits refuses a card that is another gateway's, or of another network, or that has
// another key. The errors wrap agent.ErrConflict.
func (f found) fits(b Board) error {
	if f.genesis != nil && !bytes.Equal(f.genesis, b.genesis) {
		return fmt.Errorf("%s/%s on the card: %w: it belongs to another network", etcDir, agent.GenesisName, agent.ErrConflict)
	}
	if other := gatewayIn(f.profile); other != "" && other != b.Name {
		return fmt.Errorf("%s/%s on the card: %w: it is gateway %s, not %s", etcDir, agent.ProfileName, agent.ErrConflict, other, b.Name)
	}
	for _, place := range slices.Sorted(maps.Keys(f.keys)) {
		if place == b.Profile.KeyFile && b.Ticketed() {
			continue // it was made on the board
		}
		if !slices.ContainsFunc(b.files, func(own File) bool { return own.Path == place && bytes.Equal(own.Text, f.keys[place]) }) {
			return fmt.Errorf("%s on the card: %w: it is another key than that of %s, and no key is ever overwritten", place, agent.ErrConflict, b.Name)
		}
	}
	return nil
}

var gatewayLine = regexp.MustCompile(`(?m)^gateway[ \t]*=[ \t]*("[^"\n]*")`)

// gatewayIn is the gateway that a profile on a card names, empty if none can be read.
func gatewayIn(profile []byte) string {
	m := gatewayLine.FindSubmatch(profile)
	if m == nil {
		return ""
	}
	name, err := strconv.Unquote(string(m[1]))
	if err != nil {
		return ""
	}
	return name
}

// Size is how many bytes the files have.
func (p Plan) Size() (n int64) {
	for _, f := range p.Files {
		n += int64(len(f.Text))
	}
	return n
}

// Count is how many files an action stands for.
func (p Plan) Count(a Action) (n int) {
	for _, f := range p.Files {
		if f.Action == a {
			n++
		}
	}
	return n
}

// ErrDiffers: what was read back is not what was written.
var ErrDiffers = errors.New("read back otherwise than written")
