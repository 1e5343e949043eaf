cleave_test(report DEPS cleave_lab nlohmann_json::nlohmann_json)
cleave_test(goals DEPS cleave_lab)
