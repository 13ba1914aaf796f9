package language

// foreignKeys are the keys of cloud-init's top level that are not part of this language.
//
// Source: the schema that language names; rpi is from an earlier release.
var foreignKeys = []foreign{
	{"allow_public_ssh_keys", ""}, {"ansible", viaUnit}, {"apk_repos", viaFiles}, {"apt", viaFiles}, {"apt_pipelining", viaFiles},
	{"apt_reboot_if_required", viaUnit}, {"apt_update", viaUnit}, {"apt_upgrade", viaUnit}, {"authkey_hash", ""}, {"autoinstall", ""},
	{"byobu_by_default", ""}, {"chef", viaUnit}, {"cloud_config_modules", ""}, {"cloud_final_modules", ""}, {"cloud_init_modules", ""},
	{"device_aliases", viaUnit}, {"disable_ec2_metadata", viaUnit}, {"disable_piwiz", viaUnit}, {"disk_setup", viaUnit}, {"drivers", ""},
	{"enable_rpi_connect", viaUnit}, {"fan", ""}, {"fs_setup", viaUnit}, {"grub_dpkg", ""}, {"landscape", viaUnit}, {"launch_index", ""},
	{"lxd", viaUnit}, {"mcollective", viaUnit}, {"merge_how", ""}, {"merge_type", ""}, {"migrate", ""}, {"output", ""},
	{"package_reboot_if_required", viaUnit}, {"package_update", viaUnit}, {"package_upgrade", viaUnit}, {"packages", viaUnit}, {"puppet", viaUnit},
	{"random_seed", ""}, {"reporting", ""}, {"rh_subscription", viaUnit}, {"rpi", viaFiles}, {"rpi_interfaces", viaUnit}, {"rpi_userconf", viaUnit},
	{"rsyslog", viaFiles}, {"salt_minion", viaUnit}, {"snap", viaUnit}, {"spacewalk", viaUnit}, {"ssh_fp_console_blacklist", ""},
	{"ssh_key_console_blacklist", ""}, {"system_info", ""}, {"ubuntu_advantage", viaUnit}, {"ubuntu_pro", viaUnit}, {"updates", ""},
	{"vendor_data", ""}, {"version", ""}, {"wireguard", viaFiles}, {"yum_repo_dir", viaFiles}, {"yum_repos", viaFiles}, {"zypper", viaFiles},
}
