# make demo and make test do all the set-up themselves: .venv, and everything in it.

# The Python that .venv is made with; the command line or the environment may name another.
PYTHON ?= python3

RUN := tools/with_ros
# One stamp for each ROS 2 that .venv can stand on, so that sourcing another one makes it anew.
READY := .venv/ready-$(if $(AMENT_PREFIX_PATH),$(ROS_DISTRO),wheels)
# What the live view needs is installed where it is asked for: 70 MB that a robot can do without.
VIEW := .venv/ready-view
# What decides the contents of .venv. The package itself is linked into it, so its files are not among these.
INGREDIENTS := setup.py tools/bootstrap.py test/ros_support/install.py $(wildcard requirements/*.txt)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test readme soak bench bench-training paper lint clean

help:  ## Show this text
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 21

setup: $(READY)  ## Make .venv; the other targets do it by themselves

$(READY): $(INGREDIENTS)
	@command -v $(PYTHON) >/dev/null || { echo 'setup: $(PYTHON) is not there: install Python 3.10 or newer first.'; exit 1; }
	@$(PYTHON) tools/bootstrap.py
	@touch $@

$(VIEW): $(READY)
	@.venv/bin/python -m pip install -q -r requirements/view.txt -c requirements/constraints.txt \
		|| { echo 'setup: pip could not install what the live view needs (its own words are above).'; exit 1; }
	@touch $@

demo: $(READY) $(if $(findstring --view,$(ARGS)),$(VIEW))  ## Localize a recorded drive over ROS 2, refine, localize again (build/demo/)
	@$(RUN) python -m demo.run_demo $(ARGS)

test: $(READY) $(VIEW)  ## Run the tests; ARGS are passed on to pytest
	@$(RUN) python -m pytest $(ARGS)

readme: $(READY) $(VIEW)  ## Run the commands of README.md as they stand there, on the demo's bag; some minutes
	@$(RUN) python -m tools.run_readme $(ARGS)

soak: $(READY) $(VIEW)  ## Run the fault tests as often as it takes to trust them: some hours
	@POSEMAP_SOAK=1 $(RUN) python -m pytest test/ros $(ARGS)

bench: $(READY)  ## How fast the node is over DDS, against a plain one: alone, under load, while refining
	@$(RUN) python -m benchmarks.bench_node $(ARGS)

bench-training: $(READY)  ## How fast NeRF-P and APRNet train, against plain references; ARGS="--seconds 600"
	@$(RUN) python -m benchmarks.bench_training $(ARGS)

# What takes days is not under build/, which `make clean` removes.
paper: $(READY)  ## Train what the paper compares on DATA=..., in HOURS=... on GPUS=..., into OUT=paper/NAME: its Table 5 with our figures
	@test -n '$(DATA)' || { echo 'paper: which data? make paper DATA=/path/to/redkitchen HOURS=0.6'; exit 1; }
	@$(RUN) python $(if $(GPUS),-m torch.distributed.run --standalone --nproc-per-node $(GPUS)) -m posemap_ros.training.paper \
	    --data '$(DATA)' --out '$(or $(OUT),paper/$(notdir $(abspath $(DATA))))' $(if $(HOURS),--hours $(HOURS)) $(ARGS)

lint: $(READY)  ## Check the code's style
	@$(RUN) ruff check
	@$(RUN) ruff format --check -q

clean:  ## Remove what make and colcon made, except for paper/
	rm -rf .venv build install log *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +
