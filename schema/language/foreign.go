package language

// What to do instead of what has no meaning here.
const (
	leaveOut    = "leave it out: what is written here is all that is done"
	oneMerge    = "parts are merged by one rule: mappings by their keys, lists one after the other, and the later value wins"
	whatWasDone = "provisioner status and the journal say what was done"
)

// foreignKeys are the keys of cloud-init's top level that are not part of this language.
//
// Source: the schema that language names; rpi is from an earlier release.
var foreignKeys = []foreign{
	{"allow_public_ssh_keys", "the keys of the platform are always taken", "true"}, {"ansible", viaUnit, ""}, {"apk_repos", viaFiles, ""},
	{"apt", viaFiles, ""}, {"apt_pipelining", viaFiles, ""}, {"apt_reboot_if_required", viaUnit, "false"}, {"apt_update", viaUnit, "false"},
	{"apt_upgrade", viaUnit, "false"}, {"autoinstall", "it is for the installer of Ubuntu", ""},
	{"byobu_by_default", viaUnit, ""}, {"chef", viaUnit, ""}, {"cloud_config_modules", leaveOut, ""}, {"cloud_final_modules", leaveOut, ""},
	{"cloud_init_modules", leaveOut, ""}, {"device_aliases", viaUnit, ""}, {"disable_ec2_metadata", viaUnit, "false"}, {"disable_piwiz", viaUnit, "false"},
	{"disk_setup", viaUnit, ""}, {"drivers", viaUnit, ""}, {"enable_rpi_connect", viaUnit, "false"}, {"fan", viaUnit, ""}, {"fs_setup", viaUnit, ""},
	{"grub_dpkg", viaUnit, ""}, {"landscape", viaUnit, ""}, {"launch_index", "the part is taken on every machine", ""}, {"lxd", viaUnit, ""},
	{"mcollective", viaUnit, ""}, {"merge_how", oneMerge, ""}, {"merge_type", oneMerge, ""}, {"migrate", leaveOut, ""}, {"output", whatWasDone, ""},
	{"package_reboot_if_required", viaUnit, "false"}, {"package_update", viaUnit, "false"}, {"package_upgrade", viaUnit, "false"}, {"packages", viaUnit, ""},
	{"puppet", viaUnit, ""}, {"random_seed", "systemd keeps a seed of its own", ""}, {"reporting", whatWasDone, ""}, {"rh_subscription", viaUnit, ""},
	{"rpi", viaFiles, ""}, {"rpi_interfaces", viaUnit, ""}, {"rpi_userconf", viaUnit, ""}, {"rsyslog", viaFiles, ""}, {"salt_minion", viaUnit, ""},
	{"snap", viaUnit, ""}, {"spacewalk", viaUnit, ""},
	{"system_info", "it is for who builds the image", ""}, {"ubuntu_advantage", viaUnit, ""}, {"ubuntu_pro", viaUnit, ""}, {"updates", leaveOut, ""},
	{"version", leaveOut, "v1"}, {"wireguard", viaFiles, ""},
	{"yum_repo_dir", viaFiles, ""}, {"yum_repos", viaFiles, ""}, {"zypper", viaFiles, ""},
}

var foreignVendorKeys = []foreign{{"prefix", "a script is run by the interpreter that its first line names", ""}}
